import { SluiceError } from "../domain/errors.ts";
import type { EventHandlers } from "./event-service.ts";

/** Handlers that can be put to work later: the ports are bound before storage is opened, which may take minutes. */
export interface StartingHandlers extends EventHandlers {
  /** From now on, calls go to these. */
  start(handlers: EventHandlers): void;
}

/** Until they are started, every call fails with STORAGE_UNAVAILABLE. */
export function createStartingHandlers(): StartingHandlers {
  let started: EventHandlers | undefined;
  const handlers = (): EventHandlers => {
    if (started === undefined) throw starting();
    return started;
  };
  return {
    start(real) {
      started = real;
    },
    // No promise of its own: there are many of these calls.
    track: (caller, event) => (started === undefined ? Promise.reject(starting()) : started.track(caller, event)),
    trackMany: async (caller, events, options) => handlers().trackMany(caller, events, options),
    trackBatch: async (caller, messages) => handlers().trackBatch(caller, messages),
    listEvents: async (caller, request) => handlers().listEvents(caller, request),
    getEvent: async (caller, request) => handlers().getEvent(caller, request),
    async *tailEvents(caller, request) {
      yield* handlers().tailEvents(caller, request);
    },
    listRejectedEvents: async (caller, request) => handlers().listRejectedEvents(caller, request),
    getLimits: async (caller) => handlers().getLimits(caller),
  };
}

function starting(): SluiceError {
  return new SluiceError("STORAGE_UNAVAILABLE", "the server is starting");
}
