import type { Logger } from "pino";
import type { EventOutcome } from "./domain/outcome.ts";

/** One call that ended. Never holds a payload or a key. */
export interface CallRecord {
  /** Such as `Track` or `ListEvents`. */
  readonly method: string;
  /** How it came in. */
  readonly entrance: string;
  /** `OK`, or the name of the status code; for a dialect, its number. */
  readonly code: string;
  readonly reason?: string;
  /** Of calls that have shown a key that opens one. */
  readonly project?: string;
  /** The name of that key. */
  readonly key?: string;
  readonly durationMs: number;
  /** What went wrong underneath a fault of ours. */
  readonly cause?: unknown;
}

/**
 * Tells the operator of calls: failed ones a line each, up to a limit, the others at debug. Once a second it sums up
 * those that did what they are for, those that failed without a line of their own, and what storage said when it failed.
 */
export interface CallLog {
  record(call: CallRecord): void;
  /** Counts events by what became of them, for the summary. */
  countOutcomes(outcomes: readonly EventOutcome[]): void;
  /** Writes the last summary and ends the timer. */
  stop(): void;
}

/** Lines of failed calls between two summaries, and as many of faults of ours. */
const failureLinesMax = 100;

/** What a line each would tell nothing new of. Anyone can fail so as often as they like, without a key even. */
const summedUp: ReadonlySet<string | undefined> = new Set(["KEY_MISSING", "KEY_INVALID", "RATE_LIMITED"]);

/** Calls that last until their caller, or the deadline that it set, ends them. */
const endlessMethods: ReadonlySet<string> = new Set(["TailEvents", "Watch"]);

/** A line a call would cost 4 µs, a tenth of a unary call: hence the summary. */
export function createCallLog(logger: Logger, summaryEveryMs = 1000): CallLog {
  let calls = new Map<string, number>();
  let failures = new Map<string, number>();
  let lines = { warn: 0, error: 0 };
  let events = new Map<string, number>();
  let causes = new Map<string, string>();
  const timer = setInterval(summarize, summaryEveryMs).unref();

  function summarize(): void {
    if (calls.size > 0 || events.size > 0)
      logger.info({ ...toField("calls", calls), ...toField("events", events) }, "served");
    if (failures.size > 0) logger.warn(toField("failures", failures), "calls failed");
    if (causes.size > 0) logger.warn({ causes: Object.fromEntries(causes) }, "storage failed");
    calls = new Map();
    failures = new Map();
    lines = { warn: 0, error: 0 };
    events = new Map();
    causes = new Map();
  }

  return {
    record(record) {
      // Most calls, and most of the time nobody wants to hear of each.
      if (isServed(record) && !logger.isLevelEnabled("debug")) return count(calls, record.method);
      const { cause, durationMs, ...call } = record;
      const { method, code, reason, project } = call;
      const line = { ...call, durationMs: Math.round(durationMs * 10) / 10 };
      const level = code === "INTERNAL" || reason === "INTERNAL" ? "error" : "warn";
      if (isServed(call)) {
        count(calls, method);
        logger.debug(line, "call");
      } else if (summedUp.has(reason) || ++lines[level] > failureLinesMax) {
        count(failures, [method, reason ?? code, project].filter(Boolean).join(" "));
        logger.debug(line, "call failed");
      } else logger[level](level === "error" ? { ...line, err: cause } : line, "call failed");
    },
    countOutcomes(outcomes) {
      for (const outcome of outcomes) {
        count(events, outcome.kind);
        if (outcome.kind === "failed") causes.set(outcome.error.reason, describeCause(outcome.error.cause));
      }
    },
    stop() {
      clearInterval(timer);
      summarize();
    },
  };
}

/** Whether a call did what it is for: so does one that tells that there is no such event, and one that can only be ended. */
function isServed({ method, code, reason }: Pick<CallRecord, "method" | "code" | "reason">): boolean {
  if (code === "OK" || reason === "EVENT_NOT_FOUND") return true;
  return endlessMethods.has(method) && (reason === "CALL_ENDED" || reason === "DEADLINE_EXCEEDED");
}

function count(counts: Map<string, number>, name: string): void {
  counts.set(name, (counts.get(name) ?? 0) + 1);
}

/** What was said underneath, in few words. Not the error itself: those of Redis hold the command, and so payloads. */
function describeCause(cause: unknown): string {
  if (!(cause instanceof Error)) return "";
  return (cause.cause instanceof Error ? cause.cause.message : cause.message).slice(0, 120);
}

function toField(name: string, counts: ReadonlyMap<string, number>): Record<string, Record<string, number>> {
  return counts.size === 0 ? {} : { [name]: Object.fromEntries(counts) };
}
