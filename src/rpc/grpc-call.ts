import type { ServerInterceptingCallInterface, ServerInterceptor, ServerListener } from "@grpc/grpc-js";
import { Metadata, ResponderBuilder, ServerInterceptingCall, status } from "@grpc/grpc-js";
import type { CallLog } from "../call-log.ts";
import type { Access, Grant } from "../domain/access.ts";
import { SluiceError, toSluiceError } from "../domain/errors.ts";
import type { Caller } from "../domain/project.ts";
import { callerByKey } from "./call-key.ts";
import { isInsideMessage, limitMessages, refuseCompression } from "./grpc-internals.ts";
import type { GrpcMethod } from "./grpc-methods.ts";
import type { OpenGrpcMethod } from "./grpc-open-methods.ts";
import { GrpcRefusal } from "./grpc-open-methods.ts";
import { createMessageQueue } from "./message-queue.ts";
import { codeNameOf, toRpcCode, toStatusBytes } from "./rpc-error.ts";

type PartialStatusObject = Parameters<ServerInterceptingCallInterface["sendStatus"]>[0];

/** A method as the interceptor runs it. */
export type ServedGrpcMethod = (GrpcMethod | OpenGrpcMethod) & {
  /** The largest message that it takes. */
  readonly messageBytesMax: number;
};

export interface GrpcCallDeps {
  /** By path. */
  readonly methods: ReadonlyMap<string, ServedGrpcMethod>;
  readonly access: Access;
  readonly callLog: CallLog;
  /** How long a call of one message may take to send it. */
  readonly messageTimeoutMs: number;
}

/**
 * Runs all calls as an interceptor, below grpc-js' own handlers: here nothing has been read yet, so that a call without
 * a key is refused before its message, and a stream is read one message at a time; grpc-js' stream would hold 16 of up
 * to 4 MiB. A message is read only when the answers before it were taken.
 */
export function createGrpcInterceptor(deps: GrpcCallDeps): ServerInterceptor {
  return (definition, call) => {
    const method = deps.methods.get(definition.path);
    if (method === undefined) return new ServerInterceptingCall(call);
    const responder = new ResponderBuilder().withStart((next) => next(serveCall(method, call, deps))).build();
    return new ServerInterceptingCall(call, responder);
  };
}

function serveCall(
  method: ServedGrpcMethod,
  call: ServerInterceptingCallInterface,
  deps: GrpcCallDeps,
): ServerListener {
  const startMs = performance.now();
  const aborter = new AbortController();
  const messages = createMessageQueue<Uint8Array>(() => call.startRead());
  const sendStatus = call.sendStatus.bind(call);
  const isStream = method.kind === "client-streaming" || method.kind === "open-streaming";
  let isEnded = false;
  let isRunning = false;
  let grant: Grant | undefined;
  let timer: NodeJS.Timeout | undefined;
  let stopSending: ((error: Error) => void) | undefined;

  const onGrant = (found: Grant) => {
    grant = found;
  };

  limitMessages(call, method.messageBytesMax);

  // grpc-js refuses by itself what is too large, cannot be decompressed or has passed its deadline, on this same call.
  call.sendStatus = (refusal) => {
    const error = toOwnError(refusal);
    if (error === undefined) {
      end(refusal, status[refusal.code]);
      aborter.abort();
    } else if (error.reason === "DEADLINE_EXCEEDED") {
      endWithError(error);
      messages.fail(error);
      aborter.abort();
    } else if (isRunning && isStream) messages.fail(error);
    else endWithError(error);
  };

  function end(finalStatus: PartialStatusObject, code: string, error?: SluiceError): void {
    if (isEnded) return;
    isEnded = true;
    clearTimeout(timer);
    sendStatus(finalStatus);
    stopSending?.(new Error("the call has ended"));
    const durationMs = performance.now() - startMs;
    const cause = error?.cause;
    deps.callLog.record({
      method: method.name,
      entrance: "grpc",
      code,
      durationMs,
      ...(grant && { project: grant.project.name, key: grant.keyName }),
      ...(error && { reason: error.reason }),
      ...(cause === undefined ? {} : { cause }),
    });
  }

  function endWithError(error: SluiceError): void {
    const metadata = new Metadata();
    metadata.set("grpc-status-details-bin", Buffer.from(toStatusBytes(error)));
    end({ code: toRpcCode(error), details: error.message, metadata }, codeNameOf(error.reason), error);
  }

  function endWith(thrown: unknown): void {
    if (thrown instanceof GrpcRefusal) end({ code: thrown.code, details: thrown.message }, status[thrown.code]);
    else endWithError(toSluiceError(thrown));
  }

  async function runOpen(openMethod: OpenGrpcMethod): Promise<void> {
    isRunning = true;
    refuseCompression(call);
    try {
      const responses =
        openMethod.kind === "open-unary"
          ? openMethod.run(await readOnlyMessage(), aborter.signal)
          : openMethod.run(messages, aborter.signal);
      await sendAll(responses);
    } catch (thrown) {
      endWith(thrown);
    }
  }

  /** Sends responses, and asks for the next when the caller has taken the last. The signal is aborted at the end. */
  async function sendAll(responses: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const response of responses) await send(response);
      end({ code: status.OK, details: "OK" }, "OK");
    } finally {
      aborter.abort();
    }
  }

  /** Resolves when the message has gone out, as far as the caller takes it; rejects when the call has ended. */
  function send(response: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (isEnded) return reject(new Error("the call has ended"));
      stopSending = reject;
      call.sendMessage(toBuffer(response), resolve);
    });
  }

  async function run(keyedMethod: ServedGrpcMethod & GrpcMethod, authorization: string | undefined): Promise<void> {
    try {
      const caller: Caller = Object.assign(
        callerByKey({ access: deps.access, authorization, method: keyedMethod, onGrant }),
        {
          entrance: "grpc" as const,
          signal: aborter.signal,
          remainingMs: () => Number(call.getDeadline()) - Date.now(),
        },
      );
      isRunning = true;
      if (keyedMethod.kind === "server-streaming") {
        await sendAll(keyedMethod.run(caller, await readOnlyMessage()));
        return;
      }
      const response =
        keyedMethod.kind === "unary"
          ? await keyedMethod.run(caller, await readOnlyMessage())
          : await keyedMethod.run(caller, messages);
      if (isEnded) return;
      call.sendMessage(toBuffer(response), () => end({ code: status.OK, details: "OK" }, "OK"));
    } catch (thrown) {
      endWithError(toSluiceError(thrown));
    }
  }

  async function readOnlyMessage(): Promise<Uint8Array> {
    timer = setTimeout(() => {
      messages.fail(new SluiceError("STREAM_IDLE", `no message within ${deps.messageTimeoutMs / 1000} s`));
    }, deps.messageTimeoutMs);
    const first = await messages.next();
    const second = first.done === true ? first : await messages.next();
    clearTimeout(timer);
    if (first.done === true || second.done !== true) {
      throw new SluiceError("MALFORMED", "a unary call has exactly one message");
    }
    return first.value;
  }

  return {
    onReceiveMetadata(metadata) {
      if (method.kind === "open-unary" || method.kind === "open-streaming") {
        void runOpen(method);
        return;
      }
      void run(method, metadata.get("authorization")[0]?.toString());
    },
    onReceiveMessage(message: Uint8Array) {
      if (message.length > method.messageBytesMax) messages.fail(tooLarge(method.messageBytesMax));
      else messages.push(message);
    },
    onReceiveHalfClose() {
      if (isInsideMessage(call)) messages.fail(new SluiceError("MALFORMED", "the request ends inside a message"));
      else messages.end();
    },
    onCancel() {
      // grpc-js also says so of a call that has its answer.
      if (isEnded) return;
      const error = new SluiceError("CALL_ENDED", "the caller cancelled, or its deadline passed");
      messages.fail(error);
      aborter.abort();
      end({ code: status.CANCELLED, details: error.message }, codeNameOf(error.reason), error);
    },
  };
}

/** What grpc-js' own refusal is in our words; undefined where its code says it all. */
function toOwnError({ code, details }: PartialStatusObject): SluiceError | undefined {
  if (code === status.RESOURCE_EXHAUSTED) return new SluiceError("TOO_LARGE", details ?? "the message is too large");
  if (code === status.DEADLINE_EXCEEDED) return new SluiceError("DEADLINE_EXCEEDED", "the call's deadline has passed");
  if (code === status.INTERNAL) return new SluiceError("MALFORMED", toOwnText(details));
  return undefined;
}

function toOwnText(details = "the message cannot be read"): string {
  return details.startsWith("Invalid grpc-timeout") ? "the deadline is malformed" : details;
}

function tooLarge(bytesMax: number): SluiceError {
  return new SluiceError("TOO_LARGE", `the message is larger than ${bytesMax} bytes`);
}

function toBuffer(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
