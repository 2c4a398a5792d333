import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import {
  GetEventRequestSchema,
  ListEventsRequestSchema,
  ListRejectedEventsRequestSchema,
  TailEventsRequestSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";
import type { EventHandlers } from "../../src/rpc/event-service.ts";
import type { EventMethodName } from "../../src/rpc/method-permissions.ts";
import { createStartingHandlers } from "../../src/rpc/starting-handlers.ts";
import { callerOf, encodeEvent, newProject } from "../support/events.ts";
import { fakeEventHandlers } from "../support/fake-event-handlers.ts";

const caller = callerOf(newProject());
const event = encodeEvent({ name: "click" });

async function* messages() {
  yield [event];
}

/** A call of each method; one that is missing here does not compile. */
const calls: Record<EventMethodName, (handlers: EventHandlers) => Promise<unknown>> = {
  track: (handlers) => handlers.track(caller, event),
  trackMany: (handlers) => handlers.trackMany(caller, [event], { isAtomic: true }),
  trackBatch: (handlers) => handlers.trackBatch(caller, messages()),
  listEvents: (handlers) => handlers.listEvents(caller, create(ListEventsRequestSchema)),
  getEvent: (handlers) => handlers.getEvent(caller, create(GetEventRequestSchema)),
  tailEvents: (handlers) => handlers.tailEvents(caller, create(TailEventsRequestSchema)).next(),
  listRejectedEvents: (handlers) => handlers.listRejectedEvents(caller, create(ListRejectedEventsRequestSchema)),
  getLimits: (handlers) => handlers.getLimits(caller),
};

describe.each(Object.entries(calls))("%s", (method, call) => {
  it("fails until there are handlers, and reaches them then", async () => {
    const starting = createStartingHandlers();

    await expect(call(starting)).rejects.toMatchObject({ reason: "STORAGE_UNAVAILABLE" });

    const handlers = fakeEventHandlers();
    starting.start(handlers);
    await call(starting);
    expect(handlers.calls).toMatchObject([{ method, caller, ...(method === "trackMany" && { isAtomic: true }) }]);
  });
});
