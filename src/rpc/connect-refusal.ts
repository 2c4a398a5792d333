import type { HandlerContext } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { SluiceError } from "../domain/errors.ts";
import type { ConnectCall } from "./connect-call.ts";
import { failCall, nameOfCode } from "./connect-call.ts";

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
    if (call.error !== undefined) return;
    if (!(reason instanceof ConnectError)) {
      if (!isAbortError(reason)) failCall(call, call.isHandled ? reason : toReadError(reason, call));
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

/** The error that Connect met while it read the request, in our words. */
export function toReadError(thrown: unknown, call: Pick<ConnectCall, "messageBytesMax">): SluiceError {
  if (thrown instanceof SluiceError) return thrown;
  if (!(thrown instanceof ConnectError) || !refusalCodes.has(thrown.code)) {
    return new SluiceError("CALL_ENDED", "the caller went away", { cause: thrown });
  }
  if (thrown.code === Code.ResourceExhausted) {
    return new SluiceError("TOO_LARGE", `the message is larger than ${call.messageBytesMax} bytes`);
  }
  return new SluiceError("MALFORMED", toPlainText(thrown), { cause: thrown });
}

function toRefusal(thrown: ConnectError, call: ConnectCall): SluiceError {
  return call.isHandled ? new SluiceError("INTERNAL", "internal error", { cause: thrown }) : toReadError(thrown, call);
}

/** Errors on JSON quote what was sent, up to the name of the field, which may be a secret to a log. */
function toPlainText({ rawMessage, cause }: ConnectError): string {
  if (!(cause instanceof Error) || rawMessage !== cause.message) return rawMessage.slice(0, 200);
  return /^cannot decode (?:field|message) [\w.]+ from JSON/.exec(rawMessage)?.[0] ?? "the message is not valid JSON";
}

/** What a context is aborted with at the end of every call. */
function isAbortError(reason: unknown): boolean {
  return reason instanceof Error && reason.name === "AbortError";
}
