import type { ErrorDetails, ErrorReason } from "../../src/domain/errors.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import type { Quota } from "../../src/domain/quota.ts";

/** The code of each reason, by number as gRPC numbers them; a reason that is missing here does not compile. */
export const expectedCodes: Readonly<Record<ErrorReason, readonly [name: string, number: number]>> = {
  KEY_MISSING: ["UNAUTHENTICATED", 16],
  KEY_INVALID: ["UNAUTHENTICATED", 16],
  PERMISSION_MISSING: ["PERMISSION_DENIED", 7],
  ENVIRONMENT_FORBIDDEN: ["PERMISSION_DENIED", 7],
  EVENT_INVALID: ["INVALID_ARGUMENT", 3],
  FILTER_INVALID: ["INVALID_ARGUMENT", 3],
  PAGE_TOKEN_INVALID: ["INVALID_ARGUMENT", 3],
  MALFORMED: ["INVALID_ARGUMENT", 3],
  ATOMIC_TOO_LARGE: ["INVALID_ARGUMENT", 3],
  ID_CONFLICT: ["ALREADY_EXISTS", 6],
  EVENT_NOT_FOUND: ["NOT_FOUND", 5],
  TOO_LARGE: ["RESOURCE_EXHAUSTED", 8],
  RATE_LIMITED: ["RESOURCE_EXHAUSTED", 8],
  STORAGE_FULL: ["RESOURCE_EXHAUSTED", 8],
  STORAGE_UNAVAILABLE: ["UNAVAILABLE", 14],
  SHUTTING_DOWN: ["UNAVAILABLE", 14],
  OVERLOADED: ["UNAVAILABLE", 14],
  OUTCOME_UNKNOWN: ["UNAVAILABLE", 14],
  CURSOR_EXPIRED: ["OUT_OF_RANGE", 11],
  STREAM_IDLE: ["DEADLINE_EXCEEDED", 4],
  CALL_ENDED: ["CANCELLED", 1],
  DEADLINE_EXCEEDED: ["DEADLINE_EXCEEDED", 4],
  INTERNAL: ["INTERNAL", 13],
};

/** Every reason there is. */
export const allReasons = Object.keys(expectedCodes).filter((text): text is ErrorReason => text in expectedCodes);

/** 30 a minute used up, 15,000 a day not. */
export const minuteUsedUp: readonly Quota[] = [
  { limit: { events: 30, perMs: 60_000 }, remaining: 0, resetAfterMs: 60_000 },
  { limit: { events: 15_000, perMs: 86_400_000 }, remaining: 14_970, resetAfterMs: 172_800 },
];

/** What an error says in its details. */
export interface ExpectedDetails {
  readonly reason: ErrorReason;
  readonly domain: "sluice";
  /** Of BadRequest. */
  readonly fields: readonly string[];
  /** Of RetryInfo. */
  readonly retryDelayMs: number | undefined;
  /** Of QuotaFailure. */
  readonly quotas: readonly string[];
  /** Of ErrorInfo. */
  readonly oldestCursor: string | undefined;
}

/** An error as handlers throw it, and how a call ends that meets it. */
export interface ErrorCase {
  readonly reason: ErrorReason;
  readonly error: SluiceError;
  readonly codeName: string;
  readonly code: number;
  readonly details: ExpectedDetails;
  /** The `retry-after` of an answer over HTTP. */
  readonly retryAfter: string | undefined;
}

const violations = [{ field: "event.name", message: "is required" }];

/** What errors say beside their reason. */
const given: Partial<Record<ErrorReason, ErrorDetails>> = {
  EVENT_INVALID: { violations },
  ENVIRONMENT_FORBIDDEN: { violations },
  FILTER_INVALID: { violations },
  PAGE_TOKEN_INVALID: { violations },
  MALFORMED: { violations },
  ATOMIC_TOO_LARGE: { violations },
  ID_CONFLICT: { violations },
  RATE_LIMITED: { retryDelayMs: 1500, quotas: minuteUsedUp },
  OVERLOADED: { retryDelayMs: 250 },
  CURSOR_EXPIRED: { oldestCursor: "the-oldest" },
};

/** Of UNAVAILABLE where the error does not say. */
const defaultDelayMs = 1000;

/** A case for each reason. */
export const errorCases: readonly ErrorCase[] = allReasons.map((reason) => {
  const details = given[reason] ?? {};
  const [codeName, code] = expectedCodes[reason];
  const retryDelayMs = details.retryDelayMs ?? (codeName === "UNAVAILABLE" ? defaultDelayMs : undefined);
  return {
    reason,
    error: new SluiceError(reason, `the text of ${reason}`, details),
    codeName,
    code,
    details: {
      reason,
      domain: "sluice",
      fields: (details.violations ?? []).map(({ field }) => field),
      retryDelayMs,
      quotas: reason === "RATE_LIMITED" ? ["project: 30 events per 1m"] : [],
      oldestCursor: details.oldestCursor,
    },
    retryAfter: retryDelayMs === undefined ? undefined : String(Math.ceil(retryDelayMs / 1000)),
  };
});
