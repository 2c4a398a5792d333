import { describe, expect, it } from "vitest";
import { SluiceError } from "../../src/domain/errors.ts";
import type { AppendResult, EventToAppend } from "../../src/domain/ports.ts";
import type { ProjectSettings } from "../../src/domain/project.ts";
import { createAppendAtomically } from "../../src/redis/append-atomically.ts";
import { eventWithoutId } from "../support/chunk-appender.ts";
import { encodeEvent, eventToAppend, newProject } from "../support/events.ts";
import { endsOf, openEventLog, placesOf } from "../support/open-event-log.ts";
import { useRedis } from "../support/use-redis.ts";

const redis = useRedis();

const isAtomic = { isAtomic: true };
const tight = { rateLimits: [{ events: 3, perMs: 3_600_000 }] };

/** An event with two identities, in one order or the other. */
function eventOf(id: string, isReversed = false): EventToAppend {
  const identities = isReversed ? { y: "2", x: "1" } : { x: "1", y: "2" };
  return { ...eventToAppend(id), bytes: encodeEvent({ id, name: "click", identities }) };
}

/** `a` is stored, `a'` the same event in another encoding, `a!` another one with the same id; `-` has none. */
function parseEvent(text: string): EventToAppend {
  if (text === "-") return eventWithoutId();
  if (text.endsWith("!")) return eventToAppend(text.slice(0, -1), { value: 2 });
  return text.endsWith("'") ? eventOf(text.slice(0, -1), true) : eventOf(text);
}

describe("an atomic append", () => {
  it.each<[string, string[], string[], Partial<ProjectSettings>?]>([
    ["stores all", ["x", "-", "y"], ["accepted", "accepted", "accepted"]],
    ["is not stopped by duplicates", ["a", "x", "b"], ["duplicate", "accepted", "duplicate"]],
    ["is not stopped by another encoding", ["a'", "x", "b'"], ["duplicate", "accepted", "duplicate"]],
    ["is content with duplicates only", ["a'", "b"], ["duplicate", "duplicate"]],
    ["is stopped by a conflict", ["x", "a!", "b", "y"], ["withheld", "conflict", "duplicate", "withheld"]],
    ["is stopped by a conflict behind another encoding", ["x", "a'", "b!"], ["withheld", "duplicate", "conflict"]],
    ["is stopped by a lack of tokens", ["x", "a'", "y"], ["withheld", "duplicate", "throttled"], tight],
    ["is stopped by a full project", ["x", "a", "y"], ["withheld", "duplicate", "STORAGE_FULL"], { eventsMax: 3 }],
    ["stores a copy of its own event once", ["x", "y", "x", "x'"], ["accepted", "accepted", "duplicate", "duplicate"]],
    ["is stopped by a copy that is another event", ["x", "y", "x!"], ["withheld", "withheld", "conflict"]],
    ["tells each copy of a duplicate", ["a", "a'", "x"], ["duplicate", "duplicate", "accepted"]],
    ["takes a token for a copy once", ["x", "x", "x"], ["accepted", "duplicate", "duplicate"], tight],
    ["withholds a copy with its original", ["x", "x", "y"], ["withheld", "withheld", "throttled"], tight],
    ["throttles a copy with its original", ["x", "y", "y"], ["withheld", "throttled", "throttled"], tight],
    ["is nothing without events", [], []],
  ])("%s", async (_, texts, ends, settings = {}) => {
    await using opened = await openEventLog(redis.socketPath);
    const { append, log } = opened;
    const project = newProject(settings);
    await append(project, ["a", "b"].map(parseEvent));

    const appended = await append(project, texts.map(parseEvent), isAtomic);

    expect(endsOf(appended)).toEqual(ends);
    expect(await log.count(project)).toBe(2 + ends.filter((end) => end === "accepted").length);
    const [, x] = [...texts.keys()].filter((i) => texts[i]?.startsWith("x"));
    if (x !== undefined && ends[x] === "duplicate") expect(placesOf(appended)[x]).toBe(placesOf(appended)[0]);
  });

  it("stores every event once when others append the same ones, and none without the rest of its call", async () => {
    await using one = await openEventLog(redis.socketPath);
    await using other = await openEventLog(redis.socketPath);
    const project = newProject();
    const ids = Array.from({ length: 40 }, (_, i) => `${i}`);

    const calls = await Promise.all(
      Array.from({ length: 30 }, (_, call) => {
        const events = Array.from({ length: 20 }, (_, i) => eventOf(`${(call * 7 + i * 3) % 40}`, call % 3 === 0));
        const { append } = call % 2 === 0 ? one : other;
        return append(project, events, isAtomic);
      }),
    );

    const ends = calls.flatMap(endsOf);
    expect(new Set(ends)).toEqual(new Set(["accepted", "duplicate"]));
    expect(ends.filter((end) => end === "accepted")).toHaveLength(ids.length);
    expect(await one.log.count(project)).toBe(ids.length);
  });
});

describe("createAppendAtomically", () => {
  const position = { epoch: "e", ms: 1, seq: 0 };
  const withheld: AppendResult = { kind: "withheld" };

  /** Appends two events over a log that gives these results, in turn; the last ones again and again. */
  async function appendOver(...answers: AppendResult[][]) {
    const offered: string[][] = [];
    const append = createAppendAtomically(async (_project, _entrance, events) => {
      offered.push(events.map(({ id }) => id));
      const results = (answers.length > 1 ? answers.shift() : answers[0]) ?? [];
      return { results: results.slice(0, events.length), quotas: [] };
    });
    const appended = await append(newProject(), "grpc", [eventOf("a"), eventOf("b")], isAtomic);
    return { ends: endsOf(appended), offered };
  }

  it("leaves out of the next attempt what turned out to be stored", async () => {
    const { ends, offered } = await appendOver(
      [withheld, { kind: "duplicate", position }],
      [{ kind: "accepted", position }],
    );

    expect(ends).toEqual(["accepted", "duplicate"]);
    expect(offered).toEqual([["a", "b"], ["a"]]);
  });

  it("gives up with STORAGE_UNAVAILABLE when it is held up again and again", async () => {
    const { ends, offered } = await appendOver([withheld, withheld]);

    expect(ends).toEqual(["STORAGE_UNAVAILABLE", "STORAGE_UNAVAILABLE"]);
    expect(offered).toHaveLength(5);
  });

  it("is stopped by a failure", async () => {
    const failed: AppendResult = { kind: "failed", error: new SluiceError("OUTCOME_UNKNOWN", "lost") };

    const { ends, offered } = await appendOver([failed, failed]);

    expect(ends).toEqual(["OUTCOME_UNKNOWN", "OUTCOME_UNKNOWN"]);
    expect(offered).toHaveLength(1);
  });
});
