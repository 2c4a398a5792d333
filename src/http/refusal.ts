import { STATUS_CODES } from "node:http";
import type { ErrorReason, Violation } from "../domain/errors.ts";
import { retryDelayDefaultMs, toSluiceError } from "../domain/errors.ts";
import type { Quota } from "../domain/quota.ts";

/** Why a request that is no RPC can fail: for our reasons, or for one that only HTTP has. */
export type RefusalReason =
  | ErrorReason
  | "METHOD_NOT_ALLOWED"
  | "PATH_UNKNOWN"
  | "UNSUPPORTED_MEDIA_TYPE"
  | "PROJECT_UNKNOWN";

/** Why a request is not served, for its dialect to put into words. */
export interface Refusal {
  /** What HTTP calls it; a vendor may call it otherwise. */
  readonly status: number;
  readonly reason: RefusalReason;
  /** For people. Never holds a secret or a payload. */
  readonly message: string;
  /** The fields at fault, by the vendor's names. */
  readonly violations: readonly Violation[];
  /** After how long it makes sense to try again. */
  readonly retryDelayMs: number | undefined;
  readonly quotas: readonly Quota[];
  /** Of METHOD_NOT_ALLOWED: the methods that are. */
  readonly allow?: string;
  /** For the log only. */
  readonly cause?: unknown;
}

/** Thrown for a request that is refused for a reason that only HTTP has. */
export class RequestRefused extends Error {
  override readonly name = "RequestRefused";
  readonly status: number;
  readonly reason: RefusalReason;
  readonly allow: string | undefined;

  constructor(status: number, reason: RefusalReason, message: string, allow?: string) {
    super(message);
    this.status = status;
    this.reason = reason;
    this.allow = allow;
  }
}

/** The table of DESIGN section 4, HTTP column. */
const statuses: Readonly<Record<ErrorReason, number>> = {
  KEY_MISSING: 401,
  KEY_INVALID: 401,
  PERMISSION_MISSING: 403,
  ENVIRONMENT_FORBIDDEN: 403,
  EVENT_INVALID: 400,
  FILTER_INVALID: 400,
  PAGE_TOKEN_INVALID: 400,
  MALFORMED: 400,
  ATOMIC_TOO_LARGE: 400,
  ID_CONFLICT: 409,
  EVENT_NOT_FOUND: 404,
  TOO_LARGE: 413,
  RATE_LIMITED: 429,
  STORAGE_FULL: 507,
  STORAGE_UNAVAILABLE: 503,
  SHUTTING_DOWN: 503,
  OVERLOADED: 503,
  OUTCOME_UNKNOWN: 503,
  CURSOR_EXPIRED: 410,
  STREAM_IDLE: 408,
  CALL_ENDED: 499,
  DEADLINE_EXCEEDED: 504,
  INTERNAL: 500,
};

/** The HTTP status of an error, where Connect does not choose one. */
export function statusOf(reason: ErrorReason): number {
  return statuses[reason];
}

/** Whatever was thrown while a request was served, as its refusal. What is not known is INTERNAL. */
export function toRefusal(thrown: unknown): Refusal {
  if (thrown instanceof RequestRefused) {
    const { status, reason, message, allow } = thrown;
    const refusal = { status, reason, message, violations: [], retryDelayMs: undefined, quotas: [] };
    return allow === undefined ? refusal : { ...refusal, allow };
  }
  const { reason, message, violations, retryDelayMs, quotas, cause } = toSluiceError(thrown);
  const status = statuses[reason];
  return {
    status,
    reason,
    message,
    // There is only the one event, and it is the vendor who says what it is called.
    violations: violations.map(({ field, message }) => ({ field: field.replace(/^event(\.|$)/, ""), message })),
    retryDelayMs: retryDelayMs ?? (status === 503 ? retryDelayDefaultMs : undefined),
    quotas,
    cause,
  };
}

/** What HTTP says of a status. */
export function statusText(status: number): string {
  return STATUS_CODES[status] ?? "refused";
}
