import type { ContextKey, HandlerContext } from "@connectrpc/connect";
import { Code, ConnectError, createContextKey } from "@connectrpc/connect";
import type { CallLog } from "../call-log.ts";
import type { Grant } from "../domain/access.ts";
import type { Entrance } from "../domain/entrance.ts";
import { SluiceError, toSluiceError } from "../domain/errors.ts";
import type { Caller } from "../domain/project.ts";
import { codeNameOf, toErrorDetails, toRpcCode } from "./rpc-error.ts";

/** One call over Connect, gRPC-Web or gRPC while it runs, as far as Connect's own context does not know it. */
export interface ConnectCall {
  /** The method's name, or `unknown`. */
  readonly method: string;
  readonly entrance: Entrance;
  /** The largest message that the method takes. */
  readonly messageBytesMax: number;
  readonly startMs: number;
  /** Whether the request was handed to the method. Whatever fails before is the request's fault, after it ours. */
  isHandled: boolean;
  /** Why the request is refused, whatever the key; Connect would not see it, or tell more than it should. */
  readonly refusal?: SluiceError | ConnectError;
  /** Whether the request was broken off, so that what fails in reading it is nobody's fault. */
  isCut(): boolean;
  /** Set once the call has shown a key that opens a project. */
  grant?: Grant;
  /** Set once the key may call the method. */
  caller?: Caller;
  /** Why the call failed. */
  error?: SluiceError;
  /** The status code of a call that failed with none of our reasons. */
  code?: string;
}

/** Where Connect's context keeps the call. */
export const callKey: ContextKey<ConnectCall | undefined> = createContextKey<ConnectCall | undefined>(undefined);

/** The call that a context belongs to. */
export function callOf(context: Pick<HandlerContext, "values">): ConnectCall {
  const call = context.values.get(callKey);
  if (call === undefined) throw new Error("the context belongs to no call");
  return call;
}

/** Notes why the call failed, and gives what to throw so that Connect tells the caller. Unknown things are INTERNAL. */
export function failCall(call: ConnectCall, thrown: unknown): ConnectError {
  call.error = toSluiceError(thrown);
  return toConnectError(call.error);
}

/** Notes that a call ends with a status code and none of our reasons, and gives what to throw so that Connect tells the caller. */
export function refuseCall(call: ConnectCall, code: Code, message: string): ConnectError {
  call.code = nameOfCode(code);
  return new ConnectError(message, code);
}

/** An error as Connect sends it, with its google.rpc details. The cause stays here. */
export function toConnectError(error: SluiceError): ConnectError {
  return new ConnectError(error.message, toRpcCode(error), undefined, toErrorDetails(error));
}

/** Writes down how a call ended. `isCut`: the caller was gone before it had its answer. */
export function recordCall(callLog: CallLog, call: ConnectCall, isCut: boolean): void {
  if (isCut && call.code === undefined) call.error ??= new SluiceError("CALL_ENDED", "the caller went away");
  const { method, entrance, grant, error } = call;
  callLog.record({
    method,
    entrance,
    code: error === undefined ? (call.code ?? "OK") : codeNameOf(error.reason),
    durationMs: performance.now() - call.startMs,
    ...(grant && { project: grant.project.name, key: grant.keyName }),
    ...(error && { reason: error.reason }),
    ...(error?.cause === undefined ? {} : { cause: error.cause }),
  });
}

/** The name of a status code as the log spells it, such as `NOT_FOUND`. */
export function nameOfCode(code: Code): string {
  return (Code[code] ?? "Unknown").replace(/(?<=[a-z])[A-Z]/g, "_$&").toUpperCase();
}
