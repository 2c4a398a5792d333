import type { Quota } from "./quota.ts";

/** Every reason for which a call can fail: DESIGN section 4. Each edge translates them once, exhaustively. */
export type ErrorReason =
  | "KEY_MISSING"
  | "KEY_INVALID"
  | "PERMISSION_MISSING"
  | "ENVIRONMENT_FORBIDDEN"
  | "EVENT_INVALID"
  | "FILTER_INVALID"
  | "PAGE_TOKEN_INVALID"
  | "MALFORMED"
  | "ATOMIC_TOO_LARGE"
  | "ID_CONFLICT"
  | "EVENT_NOT_FOUND"
  | "TOO_LARGE"
  | "RATE_LIMITED"
  | "STORAGE_FULL"
  | "STORAGE_UNAVAILABLE"
  | "SHUTTING_DOWN"
  | "OVERLOADED"
  | "OUTCOME_UNKNOWN"
  | "CURSOR_EXPIRED"
  | "STREAM_IDLE"
  | "CALL_ENDED"
  | "DEADLINE_EXCEEDED"
  | "INTERNAL";

/** A field at fault, and what is wrong with it. Neither holds more of the sender's text than a map key. */
export interface Violation {
  /** Path of the field, such as `properties.cart[2]`; at most 256 characters. */
  readonly field: string;
  readonly message: string;
}

/** What an error says beside its reason and text. */
export interface ErrorDetails {
  /** The fields at fault, for the reasons that stand for invalid input. */
  readonly violations?: readonly Violation[];
  /** When it makes sense to try again. */
  readonly retryDelayMs?: number;
  /** The project's rate limits, where the call was told what they have left. */
  readonly quotas?: readonly Quota[];
  /** Of CURSOR_EXPIRED: the cursor of the oldest event, if there is one. */
  readonly oldestCursor?: string | undefined;
  /** What went wrong underneath; for the log only. */
  readonly cause?: unknown;
}

/** When to try again after a failure that passes, unless the error says otherwise. */
export const retryDelayDefaultMs = 1000;

/** A call that failed, or an event that did, for one of the known reasons. The text never holds a secret or a payload. */
export class SluiceError extends Error {
  override readonly name: string = "SluiceError";
  readonly reason: ErrorReason;
  readonly violations: readonly Violation[];
  readonly retryDelayMs: number | undefined;
  readonly quotas: readonly Quota[];
  readonly oldestCursor: string | undefined;

  constructor(reason: ErrorReason, message: string, details: ErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.reason = reason;
    this.violations = details.violations ?? [];
    this.retryDelayMs = details.retryDelayMs;
    this.quotas = details.quotas ?? [];
    this.oldestCursor = details.oldestCursor;
  }
}

/** Whatever was thrown, as a SluiceError: anything unknown is INTERNAL, with the original as its cause. */
export function toSluiceError(thrown: unknown): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  return new SluiceError("INTERNAL", "internal error", { cause: thrown });
}
