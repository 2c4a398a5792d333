import type { Logger } from "pino";
import type { ErrorReason } from "./domain/errors.ts";
import type { EventOutcome } from "./domain/outcome.ts";

/** One call that ended. Never holds a payload or a key. */
export interface CallRecord {
  /** Such as `Track` or `ListEvents`. */
  readonly method: string;
  /** How it came in: an entrance, or `http`. */
  readonly entrance: string;
  /** `OK`, or the name of the status code. */
  readonly code: string;
  readonly reason?: ErrorReason;
  readonly durationMs: number;
  /** What went wrong underneath a fault of ours. */
  readonly cause?: unknown;
}

/** Tells the operator of calls: failed ones a line each, the others at debug and summed up once a second at info. */
export interface CallLog {
  record(call: CallRecord): void;
  /** Counts events by what became of them, for the summary. */
  countOutcomes(outcomes: readonly EventOutcome[]): void;
  /** Writes the last summary and ends the timer. */
  stop(): void;
}

/** A line a call would cost 4 µs, a tenth of a unary call: hence the summary. */
export function createCallLog(logger: Logger, summaryEveryMs = 1000): CallLog {
  let calls = new Map<string, number>();
  let events = new Map<string, number>();
  const timer = setInterval(summarize, summaryEveryMs).unref();

  function summarize(): void {
    if (calls.size === 0 && events.size === 0) return;
    logger.info({ calls: Object.fromEntries(calls), events: Object.fromEntries(events) }, "served");
    calls = new Map();
    events = new Map();
  }

  return {
    record({ cause, durationMs, ...call }) {
      const line = { ...call, durationMs: Math.round(durationMs * 10) / 10 };
      if (call.code === "OK") {
        calls.set(call.method, (calls.get(call.method) ?? 0) + 1);
        logger.debug(line, "call");
      } else if (call.code === "INTERNAL") logger.error({ ...line, err: cause }, "call failed");
      else logger.warn(line, "call failed");
    },
    countOutcomes(outcomes) {
      for (const { kind } of outcomes) events.set(kind, (events.get(kind) ?? 0) + 1);
    },
    stop() {
      clearInterval(timer);
      summarize();
    },
  };
}
