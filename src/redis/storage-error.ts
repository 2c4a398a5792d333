import { ReplyError } from "ioredis";
import { SluiceError } from "../domain/errors.ts";
import { IndexPlanChanged } from "./index-plans.ts";

/** Replies with which Redis refuses a script before it has written anything: nothing was stored. They pass. */
const refusals: Readonly<Record<string, "STORAGE_FULL" | "STORAGE_UNAVAILABLE">> = {
  OOM: "STORAGE_FULL",
  MISCONF: "STORAGE_UNAVAILABLE",
  READONLY: "STORAGE_UNAVAILABLE",
  LOADING: "STORAGE_UNAVAILABLE",
  BUSY: "STORAGE_UNAVAILABLE",
  MASTERDOWN: "STORAGE_UNAVAILABLE",
  NOREPLICAS: "STORAGE_UNAVAILABLE",
  CLUSTERDOWN: "STORAGE_UNAVAILABLE",
  TRYAGAIN: "STORAGE_UNAVAILABLE",
  NOAUTH: "STORAGE_UNAVAILABLE",
  WRONGPASS: "STORAGE_UNAVAILABLE",
};

/** The same for what only reads. A script may lack the permission for its last command, and have written before. */
const readRefusals: typeof refusals = { ...refusals, NOPERM: "STORAGE_UNAVAILABLE" };

/**
 * What a failed write means. Only a refusal of Redis itself, and a command that was never sent, are certain not to have
 * stored anything; every other failure is OUTCOME_UNKNOWN.
 */
export function toWriteError(thrown: unknown): SluiceError {
  const refusal = toRefusal(thrown, refusals);
  if (refusal !== undefined) return refusal;
  return wasSent(thrown) ? outcomeUnknown(thrown) : storageUnavailable(thrown);
}

/** Whether Redis said that it did not carry the write out. */
export function isRefusal(thrown: unknown): boolean {
  return toRefusal(thrown, refusals) !== undefined;
}

/** Whether Redis found fault with the write, perhaps half-way: it would again, and store again what comes before. */
export function isFault(thrown: unknown): boolean {
  return thrown instanceof ReplyError && !isRefusal(thrown);
}

/** Whether a command that failed may have reached Redis, and been carried out. */
export function wasSent(thrown: unknown): boolean {
  if (thrown instanceof IndexPlanChanged) return false;
  return !(thrown instanceof Error && thrown.message.startsWith("Stream isn't writeable"));
}

/** The events may or may not be stored. */
export function outcomeUnknown(cause?: unknown): SluiceError {
  return new SluiceError("OUTCOME_UNKNOWN", "storage did not answer: send the events again with the same ids", {
    cause,
  });
}

/** What a failed read means: try again, unless Redis has a fault to find with the command. */
export function toReadError(thrown: unknown): SluiceError {
  const refusal = toRefusal(thrown, readRefusals);
  if (refusal !== undefined) return refusal;
  if (thrown instanceof ReplyError) return new SluiceError("INTERNAL", "internal error", { cause: thrown });
  return storageUnavailable(thrown);
}

/** Storage cannot be reached, and nothing was stored. */
export function storageUnavailable(cause?: unknown): SluiceError {
  return new SluiceError("STORAGE_UNAVAILABLE", "storage does not answer", { cause });
}

function toRefusal(thrown: unknown, reasons: typeof refusals): SluiceError | undefined {
  if (!(thrown instanceof Error && thrown instanceof ReplyError)) return undefined;
  const code = /^[A-Z]+/.exec(thrown.message)?.[0] ?? "";
  const reason = reasons[code];
  if (reason === "STORAGE_FULL") return new SluiceError(reason, "storage is full", { cause: thrown });
  return reason === undefined ? undefined : storageUnavailable(thrown);
}
