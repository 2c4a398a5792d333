import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectError } from "@connectrpc/connect";
import type { ErrorInfo } from "../../gen/google/rpc/error_details_pb.ts";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { toPrintable } from "./printable.ts";

/**
 * Whether the same call may end better later. What the server has judged for good, it will judge so again; an error that
 * is not the server's says little, but for one that the way there will bring about again.
 */
export function isRetryable(error: ConnectError): boolean {
  if (reasonOf(error) === undefined) return !finalCodes.includes(error.code) && !isOfGrpcPort(error);
  switch (error.code) {
    case Code.Unavailable:
    case Code.Aborted:
    case Code.Canceled:
    case Code.DeadlineExceeded:
    case Code.Internal:
      return true;
    case Code.ResourceExhausted:
      return retryInfoMs(error) !== undefined;
    default:
      return false;
  }
}

/** Whether no connection came about at all, so that nothing can have reached the server. */
export function isUnreachable(error: ConnectError): boolean {
  const code = systemCode(error);
  return code !== undefined && unreachable.includes(code);
}

/**
 * Whether the server says that it took nothing of the call. Not so when it says what it took, nor when the error is of
 * something on the way: much may have come through by then.
 */
export function isRefusal(error: ConnectError): boolean {
  const reason = reasonOf(error);
  if (reason === undefined || openReasons.includes(reason)) return false;
  return error.findDetails(TrackBatchResponseSchema).length === 0;
}

/**
 * How long to wait before the given attempt to go on, the first being 1: a random part of a delay that doubles from
 * 0.5 s on, but at least what the server asks for; at most 30 s.
 */
export function retryDelayMs(error: ConnectError, attempt: number, random: () => number): number {
  const backoffMs = random() * Math.min(delayMaxMs, 500 * 2 ** (attempt - 1));
  return Math.min(delayMaxMs, Math.max(backoffMs, retryInfoMs(error) ?? 0));
}

/** What the server says of the error; undefined when it is not the server's. */
export function errorInfoOf(error: ConnectError): ErrorInfo | undefined {
  return error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === "sluice");
}

/** Why a call failed, in one line for the terminal. */
export function describeCallError(error: ConnectError, url: string): string {
  const code = systemCode(error);
  if (code !== undefined && unreachable.includes(code)) {
    return `cannot reach ${url} (${code}): is the server running, and is SLUICE_URL right?`;
  }
  const text = toPrintable(error.rawMessage).slice(0, 500);
  if (error.code === Code.Unauthenticated) return `${url} refuses the key: ${text}; set SLUICE_KEY`;
  const reason = reasonOf(error);
  if (reason !== undefined) return `${text} (${reason})`;
  if (isOfGrpcPort(error)) return `${url} is for gRPC alone (${text}): SLUICE_URL has to name the HTTP port`;
  if (hasNoTls(error)) return `${url} makes no TLS connection: if it serves without, SLUICE_URL begins with http://`;
  if (error.code === Code.Unimplemented || /^(HTTP \d+|Protocol error)$/.test(text)) {
    return `${url} does not answer as Sluice does (${text}): is SLUICE_URL right?`;
  }
  // A port for TLS drops, without a word, whoever comes without.
  const hint = error.code === Code.Canceled && url.startsWith("http:") ? ", or does it begin with https://" : "";
  return `${text} (${Code[error.code]}): is SLUICE_URL right${hint}?`;
}

const delayMaxMs = 30_000;

/** Of an error that is not the server's: another kind of server, or a certificate that is refused. */
const finalCodes = [Code.Unauthenticated, Code.PermissionDenied, Code.Unimplemented, Code.FailedPrecondition];

/** With these, the server leaves open what it took. */
const openReasons = ["OUTCOME_UNKNOWN", "STREAM_IDLE", "CALL_ENDED", "DEADLINE_EXCEEDED", "INTERNAL"];

const unreachable = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"];

/** Whether it is what a port for gRPC says to a call over Connect. */
function isOfGrpcPort(error: ConnectError): boolean {
  return error.rawMessage === "HTTP 415";
}

/** Whether a server that was to speak TLS answers without, or hangs up. */
function hasNoTls(error: ConnectError): boolean {
  return (
    systemCode(error) === "ERR_SSL_WRONG_VERSION_NUMBER" || error.rawMessage.includes("before secure TLS connection")
  );
}

function reasonOf(error: ConnectError): string | undefined {
  return errorInfoOf(error)?.reason;
}

function retryInfoMs(error: ConnectError): number | undefined {
  const delay = error.findDetails(RetryInfoSchema)[0]?.retryDelay;
  return delay === undefined ? undefined : durationMs(delay);
}

function systemCode(error: unknown, depth = 0): string | undefined {
  if (!(error instanceof Error) || depth > 5) return undefined;
  if ("code" in error && typeof error.code === "string") return error.code;
  return systemCode(error.cause, depth + 1);
}
