import { durationMs } from "@bufbuild/protobuf/wkt";
import { Code, type ConnectError } from "@connectrpc/connect";
import { ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { toPrintable } from "./printable.ts";

/** Whether the same call may end better later. What the server has judged for good, it will judge so again. */
export function isRetryable(error: ConnectError): boolean {
  switch (error.code) {
    case Code.Unavailable:
    case Code.Aborted:
    case Code.Canceled:
    case Code.DeadlineExceeded:
    case Code.Internal:
      return true;
    case Code.ResourceExhausted:
      return retryInfoMs(error) !== undefined || reasonOf(error) === undefined;
    case Code.InvalidArgument:
      // Without a reason it is not the server's: Connect says so of a response that was cut short.
      return reasonOf(error) === undefined;
    default:
      return false;
  }
}

/** Whether no connection came about at all, so that nothing can have reached the server. */
export function isUnreachable(error: ConnectError): boolean {
  const code = systemCode(error);
  return code !== undefined && unreachable.includes(code);
}

/** Whether the call was refused before anything of it was taken: a stream that was cut says what had become of it. */
export function isRefusal(error: ConnectError): boolean {
  const isByServer = reasonOf(error) !== undefined && error.code !== Code.Internal;
  return error.findDetails(TrackBatchResponseSchema).length === 0 && (isByServer || !isRetryable(error));
}

/**
 * How long to wait before the given attempt to go on, the first being 1: a random part of a delay that doubles from
 * 0.5 s on, but at least what the server asks for; at most 30 s.
 */
export function retryDelayMs(error: ConnectError, attempt: number, random: () => number): number {
  const backoffMs = random() * Math.min(delayMaxMs, 500 * 2 ** (attempt - 1));
  return Math.min(delayMaxMs, Math.max(backoffMs, retryInfoMs(error) ?? 0));
}

/** Why a call failed, in one line for the terminal. */
export function describeCallError(error: ConnectError, url: string): string {
  const code = systemCode(error);
  if (code !== undefined && unreachable.includes(code)) {
    return `cannot reach ${url} (${code}): is the server running, and is SLUICE_URL right?`;
  }
  const text = toPrintable(error.rawMessage).slice(0, 500);
  if (error.code === Code.Unauthenticated) return `${url} refuses the key: ${text}; set SLUICE_KEY`;
  if (error.code === Code.Unimplemented || error.code === Code.Unknown) {
    return `${url} does not answer as Sluice does (${text}): is SLUICE_URL right?`;
  }
  const reason = reasonOf(error);
  return reason === undefined ? `${text} (${Code[error.code]}): is SLUICE_URL right?` : `${text} (${reason})`;
}

const delayMaxMs = 30_000;

const unreachable = ["ECONNREFUSED", "ENOTFOUND", "EAI_AGAIN", "EHOSTUNREACH", "ENETUNREACH", "ETIMEDOUT"];

function reasonOf(error: ConnectError): string | undefined {
  return error.findDetails(ErrorInfoSchema).find(({ domain }) => domain === "sluice")?.reason;
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
