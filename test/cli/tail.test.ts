import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { TailEventsRequest } from "../../gen/sluice/v1/event_service_pb.ts";
import { EventFilterSchema, type TailEventsResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { CliClock } from "../../src/cli/clock.ts";
import type { PageWriter } from "../../src/cli/page-writer.ts";
import { type TailOptions, tailEvents } from "../../src/cli/tail.ts";
import { ofSluice, storageUnavailable } from "./fake-event-service.ts";
import { closedOutput, createReadHarness, linesOf, type ReadHarnessOptions, someEvent } from "./read-harness.ts";

type Response = MessageInitShape<typeof TailEventsResponseSchema>;

/** One TailEvents call: what it answers, and how it ends. */
interface Call {
  readonly responses?: readonly Response[];
  /** Default: it stays open, and silent. */
  readonly error?: Error | undefined;
  /** Whether it ends without an error. */
  readonly isEnded?: boolean;
}

interface RunOptions extends Partial<TailOptions> {
  readonly calls: readonly (Call | ((request: TailEventsRequest) => Call))[];
  readonly stop?: AbortController;
}

/**
 * Runs a tail against a server that answers its calls so, one after the other. Where a call is silent, its 45 s pass at
 * once; where it is the last, the user stops the tail.
 */
async function runTail(
  { calls, stop = new AbortController(), ...options }: RunOptions,
  harnessOptions: ReadHarnessOptions = {},
) {
  const requests: TailEventsRequest[] = [];
  const silences = new Set<() => void>();
  const harness = createReadHarness({
    ...harnessOptions,
    methods: {
      async *tailEvents(request, context) {
        const given = calls[requests.push(request) - 1] ?? {};
        const call = typeof given === "function" ? given(request) : given;
        yield* call.responses ?? [];
        if (call.error !== undefined) throw call.error;
        if (call.isEnded) return;
        if (requests.length >= calls.length) stop.abort();
        else for (const pass of silences) pass();
        await new Promise((resolve) => context.signal.addEventListener("abort", resolve));
      },
    },
  });
  const { deps, time } = harness;

  function waitInSilence(signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve) => {
      const pass = () => {
        time.nowMs += silenceMs;
        resolve();
      };
      silences.add(pass);
      signal?.addEventListener("abort", () => {
        silences.delete(pass);
        resolve();
      });
    });
  }

  const wait: CliClock["wait"] = (ms, signal) => (ms === silenceMs ? waitInSilence(signal) : deps.clock.wait(ms));
  const exitCode = await tailEvents(
    { filter: create(EventFilterSchema), json: true, ...options },
    { ...deps, clock: { ...deps.clock, wait }, stop: stop.signal },
  );
  const ids = options.json === false ? [] : linesOf(harness.pages).map((line) => JSON.parse(line).id);
  return { exitCode, ids, requests, ...harness };
}

const silenceMs = 45_000;

const lost = () => new ConnectError("Premature close", Code.Unknown);

const http415 = () => new ConnectError("HTTP 415", Code.Unknown);

function response(cursor: string, ...ids: string[]): Response {
  return { cursor, events: ids.map((id) => someEvent(id)) };
}

describe("tailEvents", () => {
  it("prints events as they come, asks for what it was told to, and ends with 0 when the user stops it", async () => {
    const filter = create(EventFilterSchema, { names: ["a"], valueMin: 3 });

    const run = await runTail({
      filter,
      after: "c0",
      calls: [{ responses: [response("c2", "a", "b"), response("c3", "c")] }],
    });

    expect(run).toMatchObject({ exitCode: 0, ids: ["a", "b", "c"], told: [], shown: [] });
    expect(run.pages).toHaveLength(2);
    expect(run.requests).toMatchObject([{ filter, afterCursor: "c0" }]);
  });

  it("says that it waits until something comes", async () => {
    const responses = [response("c0"), response("c0"), response("c1", "a"), response("c1")];

    expect((await runTail({ calls: [{ responses }] })).shown).toEqual(["waiting for events; Ctrl-C ends it", ""]);
  });

  it("writes a table whose header comes with the first event", async () => {
    const { pages } = await runTail({
      json: false,
      calls: [{ responses: [response("c0"), response("c1", "a"), response("c2", "b")] }],
    });

    expect(pages).toEqual([expect.stringMatching(/^RECEIVED .*\n.* a\n$/), expect.stringMatching(/^2026-.* b\n$/)]);
  });

  it("ends after as many events as asked for", async () => {
    const calls = [{ responses: [response("c2", "a", "b"), response("c5", "c", "d", "e")] }];

    expect(await runTail({ limit: 3, calls })).toMatchObject({ exitCode: 0, ids: ["a", "b", "c"] });
    expect(await runTail({ limit: 2, calls })).toMatchObject({ exitCode: 0, ids: ["a", "b"] });
  });

  it("goes on where it was cut, and says so once", async () => {
    const run = await runTail({
      calls: [
        { responses: [response("c1", "a"), response("c2")], error: lost() },
        { error: storageUnavailable() },
        { error: lost() },
        { responses: [response("c2"), response("c3", "b")] },
      ],
    });

    expect(run).toMatchObject({ exitCode: 0, ids: ["a", "b"], delaysMs: [250, 1000, 1000] });
    expect(run.requests.map(({ afterCursor }) => afterCursor)).toEqual(["", "c2", "c2", "c2"]);
    expect(run.told).toEqual(["cut off, and trying to go on: Premature close", "going on where it was cut off"]);
  });

  it("says what failed when it has not begun yet, and when it begins", async () => {
    const run = await runTail({ calls: [{ error: lost() }, { error: lost() }, { responses: [response("c1", "a")] }] });

    expect(run).toMatchObject({ exitCode: 0, ids: ["a"] });
    expect(run.told).toEqual(["not begun, and trying again: Premature close (Unknown): is SLUICE_URL right?", "begun"]);
  });

  it("prints each event once and in order, wherever it is cut", async () => {
    const plan = fc.array(fc.record({ sizes: fc.array(fc.nat(3), { maxLength: 4 }), isSilent: fc.boolean() }), {
      maxLength: 8,
    });
    await fc.assert(
      fc.asyncProperty(plan, async (cuts) => {
        let storedCount = 0;
        const calls = cuts.map(({ sizes, isSilent }) => ({ afterCursor }: TailEventsRequest): Call => {
          // A server returns what is behind the cursor, whatever it returned before.
          let at = Number(afterCursor);
          const responses = sizes.map((size) => {
            const ids = Array.from({ length: size }, () => `e${at++}`);
            return response(`${at}`, ...ids);
          });
          storedCount = Math.max(storedCount, at);
          return isSilent ? { responses } : { responses, error: lost() };
        });
        const first = { responses: [response("0")], error: lost() };

        const run = await runTail({ after: "0", calls: [first, ...calls, {}] });

        expect(run.ids).toEqual(Array.from({ length: storedCount }, (_, i) => `e${i}`));
        expect(run.exitCode).toBe(0);
      }),
      { numRuns: 50 },
    );
  });

  it("takes a server that is silent for 45 s for lost", async () => {
    const run = await runTail({ calls: [{ responses: [response("c1", "a")] }, { responses: [response("c2", "b")] }] });

    expect(run.ids).toEqual(["a", "b"]);
    expect(run.requests.map(({ afterCursor }) => afterCursor)).toEqual(["", "c1"]);
    expect(run.told[0]).toContain("nothing was heard of the server for 45 s");
  });

  it("takes a tail that the server ends for cut", async () => {
    const ended = { responses: [response("c1", "a")], isEnded: true };

    const run = await runTail({ calls: [ended, { responses: [response("c2", "b")] }] });

    expect(run).toMatchObject({ ids: ["a", "b"], delaysMs: [250] });
    expect(run.told[0]).toContain("the server ended the tail");
  });

  it("waits longer and longer for a server that keeps cutting it, up to 30 s", async () => {
    const cut = { responses: [response("c1")], error: lost() };

    const { delaysMs } = await runTail({ calls: [...Array.from({ length: 9 }, () => cut), {}] });

    expect(delaysMs).toEqual([250, 500, 1000, 2000, 4000, 8000, 15_000, 15_000, 15_000]);
  });

  it("ends at once when nobody is there to begin with, but not when somebody was", async () => {
    let calls = 0;
    const never = await runTail({ calls: [] }, { isAway: () => true });
    const later = await runTail(
      { calls: [{ responses: [response("c1")], error: lost() }, { responses: [response("c2", "a")] }] },
      { isAway: () => ++calls > 1 && calls < 9 },
    );

    expect(never).toMatchObject({ exitCode: 1, delaysMs: [], told: [expect.stringContaining("cannot reach")] });
    expect(later).toMatchObject({ exitCode: 0, ids: ["a"] });
  });

  it("ends at once at a port for gRPC", async () => {
    const run = await runTail({ calls: Array.from({ length: 9 }, () => ({ error: http415() })) });

    expect(run).toMatchObject({ exitCode: 1, told: [expect.stringContaining("has to name the HTTP port")] });
    expect(run.requests).toHaveLength(1);
  });

  it("gives up a server that never answered after 5 times", async () => {
    const run = await runTail({ calls: Array.from({ length: 9 }, () => ({ error: lost() })) });

    expect(run.exitCode).toBe(1);
    expect(run.requests).toHaveLength(5);
  });

  it.each([
    [
      "a key that opens nothing",
      ofSluice("KEY_INVALID", Code.Unauthenticated),
      /refuses the key: text; set SLUICE_KEY$/,
    ],
    ["a bad filter", ofSluice("FILTER_INVALID", Code.InvalidArgument), /^text \(FILTER_INVALID\)$/],
    [
      "a cursor whose events are gone",
      ofSluice("CURSOR_EXPIRED", Code.OutOfRange, { oldest_cursor: "c9" }),
      /^text \(CURSOR_EXPIRED\); --since 1970-01-01 begins with the oldest event there is, --after c9 behind it$/,
    ],
    [
      "a cursor of a data set that is gone",
      ofSluice("CURSOR_EXPIRED", Code.OutOfRange),
      /^text \(CURSOR_EXPIRED\); no event behind it is kept: begin without --after$/,
    ],
  ])("fails at %s", async (_, error, expected) => {
    const run = await runTail({ after: "c0", calls: [{ error }] });

    expect(run).toMatchObject({ exitCode: 1, told: [expect.stringMatching(expected)] });
    expect(run.requests).toHaveLength(1);
  });

  it("says where to go on when it cannot any more", async () => {
    const error = ofSluice("KEY_INVALID", Code.Unauthenticated);

    const { exitCode, told } = await runTail({ calls: [{ responses: [response("c1", "a")], error }] });

    expect(exitCode).toBe(1);
    expect(told).toEqual([expect.stringMatching(/; --after c1 goes on from here$/)]);
  });

  it("ends quietly when nobody reads on", async () => {
    const run = await runTail({ calls: [{ responses: [response("c1", "a")] }] }, { output: closedOutput });

    expect(run).toMatchObject({ exitCode: 0, told: [] });
  });

  it("ends when the user stops it though the output is stuck", async () => {
    const stop = new AbortController();
    const output: PageWriter = {
      columns: undefined,
      write() {
        stop.abort();
        return new Promise(() => undefined);
      },
    };

    const run = await runTail({ stop, calls: [{ responses: [response("c1", "a")] }] }, { output });

    expect(run).toMatchObject({ exitCode: 0, told: [] });
  });
});
