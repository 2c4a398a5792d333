import { ReplyError } from "ioredis";
import { describe, expect, it } from "vitest";
import type { AppendCall, ChunkReply } from "../../src/redis/append-events.ts";
import { createChunkSender } from "../../src/redis/chunk-sender.ts";
import { createReachability } from "../../src/redis/reachability.ts";
import { eventToAppend, newProject } from "../support/events.ts";
import { waitUntil } from "../support/wait-until.ts";

const lost = () => new Error("Connection is closed.");
const notSent = () => new Error("Stream isn't writeable and enableOfflineQueue options is false");
const refused = (text: string): Error => Object.assign(new ReplyError(), { message: text });
const stored: ChunkReply = { outcomes: [], quotas: [], delayMsUntil: () => 0 };

/** A sender whose Redis answers the attempts with these, in their order: an error, or the reply of a stored chunk. */
function setUp(answers: (Error | typeof stored)[] = [], resolveWaitMs = 10_000) {
  const reachability = createReachability(true);
  const attempts: { call: AppendCall; isAgain: boolean }[] = [];
  const sender = createChunkSender({
    appendEvents: async (call, isAgain) => {
      attempts.push({ call, isAgain });
      const answer = answers.shift() ?? stored;
      if (answer instanceof Error) throw answer;
      return answer;
    },
    reachability,
    sender: "sender",
    resolveWaitMs,
  });
  const project = newProject();
  const chunkOf = (id: string) => ({
    project,
    events: [{ event: eventToAppend(id), entrance: "grpc" as const }],
    isAtomic: false,
  });
  let idCount = 0;
  return {
    reachability,
    attempts,
    sender,
    send: (unwanted = new AbortController().signal) => sender.send(chunkOf(`${++idCount}`), () => unwanted),
  };
}

const slotOf = ({ call }: { call: AppendCall }) => call.keys[4];
const numberOf = ({ call }: { call: AppendCall }) => call.number;

describe("createChunkSender", () => {
  it.each([
    ["OOM command not allowed", "STORAGE_FULL"],
    ["MISCONF Errors writing to the AOF file", "STORAGE_UNAVAILABLE"],
    ["LOADING Redis is loading the dataset in memory", "STORAGE_UNAVAILABLE"],
    ["READONLY You can't write against a read only replica", "STORAGE_UNAVAILABLE"],
    ["BUSY Redis is busy running a script", "STORAGE_UNAVAILABLE"],
  ])("takes %s for final on a first attempt, and for nothing on a retry", async (text, reason) => {
    const first = setUp([refused(text)]);
    await expect(first.send()).rejects.toMatchObject({ reason });
    expect(first.attempts).toHaveLength(1);

    const retry = setUp([lost(), refused(text), refused(text)]);
    expect(await retry.send()).toBe(stored);
    expect(retry.attempts.map(({ isAgain }) => isAgain)).toEqual([false, true, true, true]);
  });

  it.each([
    "WRONGTYPE Operation against a key holding the wrong kind of value",
    "NOPERM ACL failure in script",
    "ERR user_script: something is wrong",
    "STALE a later call was answered",
  ])("gives up at once with OUTCOME_UNKNOWN on %s, which may come after something was stored", async (text) => {
    const first = setUp([refused(text)]);
    await expect(first.send()).rejects.toMatchObject({ reason: "OUTCOME_UNKNOWN" });
    expect(first.attempts).toHaveLength(1);

    const retry = setUp([lost(), refused(text)]);
    await expect(retry.send()).rejects.toMatchObject({ reason: "OUTCOME_UNKNOWN" });
    expect(retry.attempts).toHaveLength(2);
  });

  it("sends a chunk again as the same call, and the next one in its slot as a later one", async () => {
    const { send, attempts } = setUp([lost()]);
    await send();
    await send();

    const [first, again, next] = attempts;
    if (first === undefined || again === undefined || next === undefined) throw new Error("too few attempts");
    expect(again.call).toBe(first.call);
    expect(slotOf(next)).toBe(slotOf(first));
    expect(Number(numberOf(next))).toBeGreaterThan(Number(numberOf(first)));
  });

  it("gives chunks that are with Redis together different slots", async () => {
    const { send, attempts } = setUp();
    await Promise.all([send(), send(), send()]);
    await Promise.all([send(), send()]);

    expect(new Set(attempts.slice(0, 3).map(slotOf)).size).toBe(3);
    expect(new Set(attempts.map(slotOf)).size).toBe(3);
  });

  it("sends again what never left, without any doubt about it", async () => {
    const again = setUp([notSent()]);
    expect(await again.send()).toBe(stored);

    const refusal = setUp([notSent(), refused("OOM command not allowed")]);
    await expect(refusal.send()).rejects.toMatchObject({ reason: "STORAGE_FULL" });

    const away = setUp([notSent()], 20);
    const sent = away.send();
    away.reachability.set(false);
    await expect(sent).rejects.toMatchObject({ reason: "STORAGE_UNAVAILABLE" });
  });

  it("waits with its retries for a Redis that is away, and is in doubt meanwhile", async () => {
    const { send, sender, reachability, attempts } = setUp([lost()]);
    reachability.set(false);
    const sent = send();
    await waitUntil(() => sender.isInDoubt());
    expect(attempts).toHaveLength(1);

    reachability.set(true);

    expect(await sent).toBe(stored);
    expect(sender.isInDoubt()).toBe(false);
    expect(sender.inFlight()).toBe(0);
  });

  it("sends chunks again in the order in which they were sent first, however long one is refused", async () => {
    const busy = refused("BUSY Redis is busy running a script");
    const { send, attempts } = setUp([lost(), notSent(), lost(), busy, busy]);

    await Promise.all([send(), send(), send()]);

    expect(attempts.map(numberOf)).toEqual([1, 2, 3, 1, 1, 1, 2, 3]);
  });

  it("gives up with OUTCOME_UNKNOWN when its retries are used up, and earns one with every ten chunks stored", async () => {
    const busy = refused("BUSY Redis is busy running a script");
    const successes = Array.from({ length: 10 }, () => stored);
    const faults = Array.from({ length: 20 }, (_, i) => (i % 2 === 0 ? lost() : busy));
    const { send, attempts } = setUp([...faults, lost(), lost(), ...successes, lost(), stored]);

    await expect(send()).rejects.toMatchObject({ reason: "OUTCOME_UNKNOWN" });
    expect(attempts).toHaveLength(21);
    await expect(send()).rejects.toMatchObject({ reason: "OUTCOME_UNKNOWN" });
    expect(attempts).toHaveLength(22);

    for (const _ of successes) await send();
    expect(await send()).toBe(stored);
  });

  it("gives up with OUTCOME_UNKNOWN when it takes too long, or nobody wants to know", async () => {
    const tooLong = setUp([lost()], 20);
    tooLong.reachability.set(false);
    await expect(tooLong.send()).rejects.toMatchObject({ reason: "OUTCOME_UNKNOWN" });

    const unwanted = setUp([lost()]);
    unwanted.reachability.set(false);
    const callers = new AbortController();
    const sent = unwanted.send(callers.signal);
    callers.abort();
    await expect(sent).rejects.toMatchObject({ reason: "OUTCOME_UNKNOWN" });
    expect(unwanted.sender.isInDoubt()).toBe(false);
  });
});
