import type { DescMessage, MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { anyPack, durationFromMs } from "@bufbuild/protobuf/wkt";
import {
  BadRequestSchema,
  ErrorInfoSchema,
  QuotaFailureSchema,
  RetryInfoSchema,
} from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { toDurationText } from "../domain/duration-text.ts";
import type { ErrorReason, SluiceError } from "../domain/errors.ts";
import { retryDelayDefaultMs } from "../domain/errors.ts";
import type { Quota } from "../domain/quota.ts";
import { tightestOf } from "../domain/quota.ts";
import { StreamCut } from "../domain/stream-cut.ts";
import { toTrackBatchResponse } from "./track-response.ts";

/** The RPC status codes in use; gRPC and Connect number them alike. */
export const rpcCodes = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  OUT_OF_RANGE: 11,
  UNIMPLEMENTED: 12,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

/** The table of DESIGN section 4, RPC column. */
const codes: Record<ErrorReason, keyof typeof rpcCodes> = {
  KEY_MISSING: "UNAUTHENTICATED",
  KEY_INVALID: "UNAUTHENTICATED",
  PERMISSION_MISSING: "PERMISSION_DENIED",
  ENVIRONMENT_FORBIDDEN: "PERMISSION_DENIED",
  EVENT_INVALID: "INVALID_ARGUMENT",
  FILTER_INVALID: "INVALID_ARGUMENT",
  PAGE_TOKEN_INVALID: "INVALID_ARGUMENT",
  MALFORMED: "INVALID_ARGUMENT",
  ATOMIC_TOO_LARGE: "INVALID_ARGUMENT",
  ID_CONFLICT: "ALREADY_EXISTS",
  EVENT_NOT_FOUND: "NOT_FOUND",
  TOO_LARGE: "RESOURCE_EXHAUSTED",
  RATE_LIMITED: "RESOURCE_EXHAUSTED",
  STORAGE_FULL: "RESOURCE_EXHAUSTED",
  STORAGE_UNAVAILABLE: "UNAVAILABLE",
  SHUTTING_DOWN: "UNAVAILABLE",
  OVERLOADED: "UNAVAILABLE",
  OUTCOME_UNKNOWN: "UNAVAILABLE",
  CURSOR_EXPIRED: "OUT_OF_RANGE",
  STREAM_IDLE: "DEADLINE_EXCEEDED",
  CALL_ENDED: "CANCELLED",
  DEADLINE_EXCEEDED: "DEADLINE_EXCEEDED",
  INTERNAL: "INTERNAL",
};

/** Every reason, in the order of that table. */
export const errorReasons: readonly ErrorReason[] = Object.keys(codes).filter(isErrorReason);

/** The domain of every ErrorInfo that Sluice sends. */
const errorDomain = "sluice";

/** Bytes that the TrackBatchResponse in a status may take: over gRPC it travels in a header, and many peers cap those at 8 KiB. */
const summaryBytesMax = 3 * 1024;

/** A message that goes along with an error. */
export interface ErrorDetail<Desc extends DescMessage = DescMessage> {
  readonly desc: Desc;
  readonly value: MessageInitShape<Desc>;
}

/** The name of the RPC status code for an error. */
export function codeNameOf(reason: ErrorReason): keyof typeof rpcCodes {
  return codes[reason];
}

/** The google.rpc details of an error: always an ErrorInfo, and what else there is to say. */
export function toErrorDetails(error: SluiceError): ErrorDetail[] {
  const metadata: Record<string, string> =
    error.oldestCursor === undefined ? {} : { oldest_cursor: error.oldestCursor };
  const details: ErrorDetail[] = [detail(ErrorInfoSchema, { reason: error.reason, domain: errorDomain, metadata })];
  if (error.violations.length > 0) {
    const fieldViolations = error.violations.map(({ field, message }) => ({ field, description: message }));
    details.push(detail(BadRequestSchema, { fieldViolations }));
  }
  const retryDelayMs = retryDelayOf(error);
  if (retryDelayMs !== undefined) {
    details.push(detail(RetryInfoSchema, { retryDelay: durationFromMs(retryDelayMs) }));
  }
  if (error.reason === "RATE_LIMITED" && error.quotas.length > 0) {
    details.push(detail(QuotaFailureSchema, { violations: toQuotaViolations(error.quotas) }));
  }
  if (error instanceof StreamCut) {
    details.push(detail(TrackBatchResponseSchema, cutFailures(toTrackBatchResponse(error.summary))));
  }
  return details;
}

/** After how long to try again; undefined when there is no point in it. */
export function retryDelayOf({ reason, retryDelayMs }: SluiceError): number | undefined {
  return retryDelayMs ?? (codes[reason] === "UNAVAILABLE" ? retryDelayDefaultMs : undefined);
}

/** The encoded google.rpc.Status of an error, for gRPC's `grpc-status-details-bin`. */
export function toStatusBytes(error: SluiceError): Uint8Array {
  const details = toErrorDetails(error).map(({ desc, value }) => anyPack(desc, create(desc, value)));
  return toBinary(StatusSchema, create(StatusSchema, { code: toRpcCode(error), message: error.message, details }));
}

/** The RPC status code of an error. */
export function toRpcCode(error: SluiceError): number {
  return rpcCodes[codes[error.reason]];
}

/** The rate limits that are used up; where all have some left, though not enough, the tightest one. */
function toQuotaViolations(quotas: readonly Quota[]): { subject: string; description: string }[] {
  const usedUp = quotas.filter(({ remaining }) => remaining === 0);
  const tightest = tightestOf(quotas);
  const blamed = usedUp.length === 0 && tightest !== undefined ? [tightest] : usedUp;
  return blamed.map(({ limit }) => ({
    subject: "project",
    description: `${limit.events} events per ${toDurationText(limit.perMs)}`,
  }));
}

function isErrorReason(text: string): text is ErrorReason {
  return Object.hasOwn(codes, text);
}

function detail<Desc extends DescMessage>(desc: Desc, value: MessageInitShape<Desc>): ErrorDetail {
  return { desc, value };
}

function cutFailures(response: ReturnType<typeof toTrackBatchResponse>): ReturnType<typeof toTrackBatchResponse> {
  let { failures } = response;
  while (
    failures.length > 0 &&
    toBinary(TrackBatchResponseSchema, { ...response, failures }).length > summaryBytesMax
  ) {
    failures = failures.slice(0, Math.floor(failures.length / 2));
  }
  return { ...response, failures };
}
