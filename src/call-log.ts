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
  /** Of calls that have shown a key that opens one. */
  readonly project?: string;
  /** The name of that key. */
  readonly key?: string;
  readonly durationMs: number;
  /** What went wrong underneath a fault of ours. */
  readonly cause?: unknown;
}

/** Tells the operator of calls, and once a second of what storage said when it failed: failed ones a line each, the others at debug and summed up once a second at info. */
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
  let causes = new Map<string, string>();
  const timer = setInterval(summarize, summaryEveryMs).unref();

  function summarize(): void {
    if (calls.size > 0 || events.size > 0)
      logger.info({ ...toField("calls", calls), ...toField("events", events) }, "served");
    if (causes.size > 0) logger.warn({ causes: Object.fromEntries(causes) }, "storage failed");
    calls = new Map();
    events = new Map();
    causes = new Map();
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
      for (const outcome of outcomes) {
        events.set(outcome.kind, (events.get(outcome.kind) ?? 0) + 1);
        if (outcome.kind === "failed") causes.set(outcome.error.reason, describeCause(outcome.error.cause));
      }
    },
    stop() {
      clearInterval(timer);
      summarize();
    },
  };
}

/** What was said underneath, in few words. Not the error itself: those of Redis hold the command, and so payloads. */
function describeCause(cause: unknown): string {
  if (!(cause instanceof Error)) return "";
  return (cause.cause instanceof Error ? cause.cause.message : cause.message).slice(0, 120);
}

function toField(name: string, counts: ReadonlyMap<string, number>): Record<string, Record<string, number>> {
  return counts.size === 0 ? {} : { [name]: Object.fromEntries(counts) };
}
