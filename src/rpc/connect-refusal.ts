import type { HandlerContext } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { SluiceError } from "../domain/errors.ts";
import type { ConnectCall } from "./connect-call.ts";
import { failCall, nameOfCode } from "./connect-call.ts";
import { toJsonFault } from "./json-fault.ts";
import { toRpcCode } from "./rpc-error.ts";

/**
 * Gives Connect's own refusals of a call our codes and details: what it cannot read is MALFORMED, what is too large is
 * TOO_LARGE, and what we cannot write is INTERNAL. Left alone, malformed protobuf is told as a fault of the server.
 *
 * They arise below interceptors. But Connect aborts the context with the very error that it encodes next, whatever the
 * protocol, so it is changed in place here.
 */
export function translateRefusals(context: HandlerContext, call: ConnectCall): void {
  context.signal.addEventListener("abort", () => {
    const reason: unknown = context.signal.reason;
    if (call.error !== undefined || call.code !== undefined) return;
    if (!(reason instanceof ConnectError)) {
      if (!isAbortError(reason) && !isSocketError(reason))
        failCall(call, call.isHandled ? reason : toReadError(reason, call));
    } else if (refusalCodes.has(reason.code)) {
      const { code, rawMessage, details } = failCall(call, toRefusal(reason, call));
      Object.assign(reason, { code, rawMessage, details });
    } else if (!endCodes.has(reason.code)) {
      call.code = nameOfCode(reason.code);
    }
  });
}

/** What Connect answers when it cannot read a request, or cannot write a response. */
const refusalCodes: ReadonlySet<Code> = new Set([
  Code.InvalidArgument,
  Code.ResourceExhausted,
  Code.Unimplemented,
  Code.Internal,
]);

/** What a context is aborted with when the caller is gone, or its deadline has passed; nothing of it is sent. */
const endCodes: ReadonlySet<Code> = new Set([Code.Canceled, Code.Aborted, Code.DeadlineExceeded]);

/** The caller's own time was too short for its own request. */
export function deadlinePassed(): SluiceError {
  return new SluiceError("DEADLINE_EXCEEDED", "the deadline passed before the request had come");
}

/** The time that a caller without a deadline of its own has for its request is over. */
export function noRequestWithin(timeoutMs: number): SluiceError {
  return new SluiceError("STREAM_IDLE", `no request within ${timeoutMs / 1000} s`);
}

/** Runs a check of ours where Connect reads a request; what it throws is told as Connect's own errors are. */
export function toUnread<T>(check: () => T): T {
  try {
    return check();
  } catch (thrown) {
    if (!(thrown instanceof SluiceError)) throw thrown;
    throw new ConnectError(thrown.message, toRpcCode(thrown), undefined, undefined, thrown);
  }
}

/** The error that was met while the request was read, in our words. */
export function toReadError(thrown: unknown, call: Pick<ConnectCall, "messageBytesMax" | "isCut">): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  if (thrown instanceof ConnectError) {
    if (thrown.cause instanceof SluiceError) return thrown.cause;
    if (thrown.code === Code.ResourceExhausted) {
      return new SluiceError("TOO_LARGE", `the message is larger than ${call.messageBytesMax} bytes`);
    }
    if (refusalCodes.has(thrown.code)) return new SluiceError("MALFORMED", toPlainText(thrown), { cause: thrown });
    if (endCodes.has(thrown.code)) return toEndError(thrown);
  }
  if (call.isCut()) return new SluiceError("CALL_ENDED", "the caller went away", { cause: thrown });
  return new SluiceError("INTERNAL", "internal error", { cause: thrown });
}

/** Why a call is over before it has its answer, from what its context was aborted with. */
export function toEndError(reason: unknown): SluiceError {
  return reason instanceof ConnectError && reason.code === Code.DeadlineExceeded
    ? new SluiceError("DEADLINE_EXCEEDED", "the deadline passed before the call was done")
    : new SluiceError("CALL_ENDED", "the caller went away", { cause: reason });
}

function toRefusal(thrown: ConnectError, call: ConnectCall): SluiceError {
  return call.isHandled ? new SluiceError("INTERNAL", "internal error", { cause: thrown }) : toReadError(thrown, call);
}

const plainTexts: readonly (readonly [RegExp, string])[] = [
  [/^parse binary:/, "the message is not valid protobuf"],
  [/timeout/, "the deadline is malformed"],
  [/missing input message|extra input message/, "the call has exactly one message"],
  [/decompress|compressed/, "the message cannot be decompressed"],
];

/** Connect's texts quote headers and messages, which may be secrets to a log. */
function toPlainText({ rawMessage, cause }: ConnectError): string {
  if (cause instanceof Error && rawMessage === cause.message) {
    return `the message cannot be read: ${toJsonFault(cause)}`;
  }
  return plainTexts.find(([form]) => form.test(rawMessage))?.[1] ?? "the request cannot be read";
}

/** Whether something failed in writing to a caller who is gone, perhaps as the cause of what Connect makes of it. */
export function isSocketError(thrown: unknown): boolean {
  if (!(thrown instanceof Error)) return false;
  return "syscall" in thrown || (thrown instanceof ConnectError && isSocketError(thrown.cause));
}

/** What a context is aborted with at the end of every call. */
function isAbortError(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "AbortError";
}
