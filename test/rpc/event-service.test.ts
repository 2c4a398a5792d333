import { describe, expect, it } from "vitest";
import { createListEvents } from "../../src/domain/list-events.ts";
import { createPageTokens } from "../../src/domain/page-token.ts";
import { createTrack } from "../../src/domain/track.ts";
import { createEventHandlers } from "../../src/rpc/event-service.ts";
import { callerOf, encodeEvent, newProject } from "../support/events.ts";
import { createFakeClock } from "../support/fake-clock.ts";
import { createFakeEventLog, fakeRetryDelayMs } from "../support/fake-event-log.ts";

function setUp() {
  const log = createFakeEventLog();
  const handlers = createEventHandlers({
    track: createTrack({ log, clock: createFakeClock() }),
    listEvents: createListEvents(
      log,
      createPageTokens(() => Buffer.alloc(32)),
    ),
    getEvent: () => expect.unreachable(),
    tailEvents: () => expect.unreachable(),
    listRejectedEvents: () => expect.unreachable(),
    getLimits: () => expect.unreachable(),
    shutdown: new AbortController().signal,
  });
  const project = newProject({ rateLimits: [{ events: 2, perMs: 3_600_000 }] });
  return { handlers, caller: callerOf(project, { remainingMs: () => 1000 }) };
}

const events = (count: number) => Array.from({ length: count }, (_, i) => encodeEvent({ id: `${i}`, name: "click" }));

async function* streamOf<T>(message: T): AsyncGenerator<T> {
  yield message;
}

describe("an answer with throttled events", () => {
  it("says after how long to send them again: TrackMany", async () => {
    const { handlers, caller } = setUp();

    const { message, retryDelayMs } = await handlers.trackMany(caller, events(3), { isAtomic: false });

    expect(message.results).toHaveLength(3);
    expect(retryDelayMs).toBe(fakeRetryDelayMs);
  });

  it("says after how long to send them again: TrackBatch", async () => {
    const { handlers, caller } = setUp();

    const { message, retryDelayMs } = await handlers.trackBatch(caller, streamOf(events(3)));

    expect(message.throttledCount).toBe(1n);
    expect(retryDelayMs).toBe(fakeRetryDelayMs);
  });

  it("says so too where rejected events leave no room to list them", async () => {
    const { handlers, caller } = setUp();
    async function* messages() {
      for (let i = 0; i < 2; i++) yield Array.from({ length: 500 }, () => encodeEvent({ id: "nameless" }));
      yield events(3);
    }

    const { message, retryDelayMs } = await handlers.trackBatch(caller, messages());

    expect(message).toMatchObject({ rejectedCount: 1000n, throttledCount: 1n });
    expect(retryDelayMs).toBe(1000);
  });
});

describe("an answer without", () => {
  it("says nothing of it", async () => {
    const { handlers, caller } = setUp();

    expect(await handlers.trackMany(caller, events(2), { isAtomic: false })).toMatchObject({ retryDelayMs: undefined });
    expect(await handlers.trackBatch(caller, streamOf(events(2)))).toMatchObject({ retryDelayMs: undefined });
  });
});
