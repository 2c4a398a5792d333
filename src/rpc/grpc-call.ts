import type { IncomingHttpHeaders } from "node:http2";
import type { CallLog } from "../call-log.ts";
import type { Access, Grant } from "../domain/access.ts";
import { SluiceError, toSluiceError } from "../domain/errors.ts";
import type { Caller } from "../domain/project.ts";
import { type CallKeyOptions, KeyedCaller } from "./call-key.ts";
import { parseGrpcTimeout } from "./connect-deadline.ts";
import type { GrpcMethod } from "./grpc-methods.ts";
import type { OpenGrpcMethod } from "./grpc-open-methods.ts";
import { GrpcRefusal } from "./grpc-refusal.ts";
import type { GrpcStream, GrpcStreamOptions, StreamOwner } from "./grpc-stream.ts";
import type { LastingCalls } from "./lasting-calls.ts";
import { codeNameOf, rpcCodes, toRpcCode, toStatusBytes } from "./rpc-error.ts";

/** A method as it is served. */
export type ServedGrpcMethod = (GrpcMethod | OpenGrpcMethod) & {
  readonly streamOptions: GrpcStreamOptions;
};

export interface GrpcCallDeps {
  readonly access: Access;
  readonly callLog: CallLog;
  /** How long a call of one message may take to send it. */
  readonly messageTimeoutMs: number;
  readonly lasting: Pick<LastingCalls, "withinMs">;
}

/**
 * One call of a method: its key is checked before anything is read, it ends once, and the call log is told of it. A unary
 * call has ended when its answer is handed to HTTP/2, whether its caller takes it or not. The transport tells it that its
 * stream is closed.
 */
export class GrpcCall implements StreamOwner {
  readonly #method: ServedGrpcMethod;
  readonly #stream: GrpcStream;
  readonly #deps: GrpcCallDeps;
  readonly #startMs = performance.now();
  readonly #aborter = new AbortController();
  #isEnded = false;
  #grant: Grant | undefined;
  #hasOneMessage = false;
  #timer: NodeJS.Timeout | undefined;
  #deadlineTimer: NodeJS.Timeout | undefined;
  #deadlineMs = Number.POSITIVE_INFINITY;
  #stopSending: ((error: Error) => void) | undefined;

  constructor(method: ServedGrpcMethod, stream: GrpcStream, deps: GrpcCallDeps) {
    this.#method = method;
    this.#stream = stream;
    this.#deps = deps;
  }

  /** Runs it to its end. Never rejects. */
  async run(headers: IncomingHttpHeaders): Promise<void> {
    const method = this.#method;
    try {
      switch (method.kind) {
        case "open-unary":
          this.#startDeadline(headers);
          await this.#sendAll(method.run(await this.#readOnly(), this.#aborter.signal));
          return;
        case "open-streaming":
          this.#startDeadline(headers);
          await this.#sendAll(method.run(this.#stream, this.#aborter.signal));
          return;
        case "server-streaming": {
          const caller = this.#admit(method, headers);
          await this.#sendAll(method.run(caller, await this.#readOnly()));
          return;
        }
        case "unary": {
          const caller = this.#admit(method, headers);
          this.#finish(await method.run(caller, await this.#readOnly()));
          return;
        }
        case "client-streaming":
          this.#finish(await method.run(this.#admit(method, headers), this.#messages()));
      }
    } catch (thrown) {
      this.#endWith(thrown);
    }
  }

  /** The caller has gone, unless the call has ended. */
  leave(): void {
    if (!this.#isEnded) this.#cutBy(new SluiceError("CALL_ENDED", "the caller cancelled, or its deadline passed"));
  }

  #admit(method: GrpcMethod, headers: IncomingHttpHeaders): Caller {
    const { access } = this.#deps;
    const { authorization } = headers;
    const onGrant = (grant: Grant) => {
      this.#grant = grant;
    };
    const caller = new GrpcCaller({ access, authorization, method, onGrant }, this, this.#aborter.signal);
    this.#startDeadline(headers);
    return caller;
  }

  /** How long until its deadline; infinite when it has none. */
  remainingMs(): number {
    return this.#deadlineMs - performance.now();
  }

  #startDeadline({ "grpc-timeout": asked }: IncomingHttpHeaders): void {
    if (asked === undefined) return;
    const timeoutMs = parseGrpcTimeout(String(asked));
    if (timeoutMs === undefined) throw new SluiceError("MALFORMED", "the deadline is malformed");
    this.#deadlineMs = performance.now() + timeoutMs;
    if (timeoutMs <= this.#deps.lasting.withinMs) this.#awaitDeadline(timeoutMs);
  }

  #awaitDeadline(ms: number): void {
    this.#deadlineTimer = setTimeout(() => {
      this.#cutBy(new SluiceError("DEADLINE_EXCEEDED", "the call's deadline has passed"));
    }, ms);
  }

  /** Has its timers begin, as it lasts. */
  watch(): void {
    if (this.#isEnded) return;
    if (this.#deadlineTimer === undefined && this.#deadlineMs < Number.POSITIVE_INFINITY) {
      this.#awaitDeadline(Math.max(1, this.remainingMs()));
    }
    if (!this.#hasOneMessage) return;
    const { messageTimeoutMs } = this.#deps;
    this.#timer = setTimeout(
      () => {
        if (!this.#stream.isAwaited()) return;
        this.#stream.fail(new SluiceError("STREAM_IDLE", `no message within ${messageTimeoutMs / 1000} s`));
      },
      Math.max(1, messageTimeoutMs - (performance.now() - this.#startMs)),
    );
  }

  /** Ends the call from outside, whatever it is at. */
  #cutBy(error: SluiceError): void {
    this.#endWith(error);
    this.#stream.fail(error);
    this.#aborter.abort();
  }

  #readOnly(): Promise<Uint8Array> {
    this.#hasOneMessage = true;
    return this.#stream.readOnly();
  }

  /** Ends the call with what is no failure of the stream, but of the transport; handlers know of no such. */
  async *#messages(): AsyncGenerator<Uint8Array, undefined> {
    try {
      for await (const message of this.#stream) yield message;
    } catch (thrown) {
      if (thrown instanceof GrpcRefusal) this.#endWith(thrown);
      throw toSluiceError(thrown);
    }
    return undefined;
  }

  /** Sends responses, and asks for the next when the caller has taken the last. The signal is aborted at the end. */
  async #sendAll(responses: AsyncIterable<Uint8Array>): Promise<void> {
    try {
      for await (const response of responses) await this.#send(response);
      this.#end("OK");
    } finally {
      this.#aborter.abort();
    }
  }

  /** Resolves when the message has gone out, as far as the caller takes it; rejects when the call has ended. */
  #send(response: Uint8Array): Promise<void> {
    return new Promise((resolve, reject) => {
      if (this.#isEnded) return reject(new Error("the call has ended"));
      this.#stopSending = reject;
      void this.#stream.send(response).then(resolve);
    });
  }

  #finish(response: Uint8Array): void {
    if (this.#isEnded) return;
    this.#stream.finish(response);
    this.#record("OK");
  }

  #endWith(thrown: unknown): void {
    if (thrown instanceof GrpcRefusal) this.#end(thrown.code, thrown.message);
    else this.#endWithError(toSluiceError(thrown));
  }

  #endWithError(error: SluiceError): void {
    if (this.#isEnded) return;
    this.#stream.end({ code: toRpcCode(error), message: error.message, details: toStatusBytes(error) });
    this.#record(codeNameOf(error.reason), error);
  }

  #end(code: keyof typeof rpcCodes | "OK", message?: string): void {
    if (this.#isEnded) return;
    this.#stream.end({ code: code === "OK" ? 0 : rpcCodes[code], ...(message !== undefined && { message }) });
    this.#record(code);
  }

  /** Of the end, and so only once. */
  #record(code: string, error?: SluiceError): void {
    this.#isEnded = true;
    if (this.#timer !== undefined) clearTimeout(this.#timer);
    if (this.#deadlineTimer !== undefined) clearTimeout(this.#deadlineTimer);
    this.#stopSending?.(new Error("the call has ended"));
    const cause = error?.cause;
    this.#deps.callLog.record({
      method: this.#method.name,
      entrance: "grpc",
      code,
      durationMs: performance.now() - this.#startMs,
      ...(this.#grant && { project: this.#grant.project.name, key: this.#grant.keyName }),
      ...(error && { reason: error.reason }),
      ...(cause === undefined ? {} : { cause }),
    });
  }
}

/** The caller of a call over :50051. */
class GrpcCaller extends KeyedCaller implements Caller {
  readonly entrance = "grpc";
  readonly signal: AbortSignal;
  readonly #call: GrpcCall;

  constructor(options: CallKeyOptions, call: GrpcCall, signal: AbortSignal) {
    super(options);
    this.#call = call;
    this.signal = signal;
  }

  remainingMs(): number {
    return this.#call.remainingMs();
  }
}
