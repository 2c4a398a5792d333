import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { ConnectError } from "@connectrpc/connect";
import { compressionNegotiate } from "@connectrpc/connect/protocol";
import { contentTypeUnaryRegExp } from "@connectrpc/connect/protocol-connect";
import type { CallLog } from "../call-log.ts";
import type { Access } from "../domain/access.ts";
import { SluiceError, toSluiceError } from "../domain/errors.ts";
import type { AnswerHeaders } from "../quota-headers.ts";
import { addQuotaHeaders, addRetryAfter } from "../quota-headers.ts";
import { KeyedCaller } from "./call-key.ts";
import type { ConnectCall } from "./connect-call.ts";
import { failCall, nameOfCode, recordCall } from "./connect-call.ts";
import { refuseCompression } from "./connect-compression.ts";
import type { DeadlinePolicy } from "./connect-deadline.ts";
import { readDeadline } from "./connect-deadline.ts";
import { deadlinePassed, noRequestWithin, toReadError } from "./connect-refusal.ts";
import { UnaryAnswer } from "./connect-unary-answer.ts";
import { checkAnnounced, collectBody } from "./connect-unary-body.ts";
import { UnaryCaller } from "./connect-unary-caller.ts";
import { UnaryEnd } from "./connect-unary-end.ts";
import type { UnaryEndpoint } from "./connect-unary-endpoint.ts";
import { createUnaryEndpoints } from "./connect-unary-endpoint.ts";
import { addErrorHeaders } from "./error-headers.ts";
import type { EventHandlers } from "./event-service.ts";

type Request = IncomingMessage | Http2ServerRequest;
type Response = ServerResponse | Http2ServerResponse;

export interface UnaryCallsDeps {
  readonly handlers: EventHandlers;
  readonly access: Access;
  readonly callLog: CallLog;
  readonly deadlines: Required<DeadlinePolicy>;
}

/**
 * Serves the unary methods of EventService over Connect, as POST, without Connect's own stack: that turns Node's
 * requests into those of the web and back, reads them through five iterators and links four signals: 160 µs a call.
 */
export interface UnaryCalls {
  /** What a request is for; undefined when something else has to serve it. */
  find(request: Request): UnaryEndpoint | undefined;
  /** Answers a call, whatever it holds. Settles when the response is closed; never rejects. */
  handle(endpoint: UnaryEndpoint, request: Request, response: Response): Promise<void>;
}

export function createUnaryCalls({ handlers, access, callLog, deadlines }: UnaryCallsDeps): UnaryCalls {
  const endpoints = createUnaryEndpoints(handlers);
  const byPath = {
    "application/json": byPathOf(endpoints, "application/json"),
    "application/proto": byPathOf(endpoints, "application/proto"),
  };

  /** Before anything of the body is read, so that whoever has no key, or one for other methods, is refused for nothing. */
  function open(
    { desc }: UnaryEndpoint,
    call: ConnectCall,
    authorization: string | undefined,
    end: UnaryEnd,
  ): UnaryCaller {
    const keyed = new KeyedCaller({
      access,
      authorization,
      method: desc,
      onGrant: (grant) => {
        call.grant = grant;
      },
    });
    if (call.refusal !== undefined) throw call.refusal;
    if (end.expired !== undefined) throw end.expired;
    return new UnaryCaller(keyed, end);
  }

  return {
    find({ method, url = "", headers }) {
      if (method !== "POST") return undefined;
      const type = headers["content-type"] ?? "";
      if (type === "application/json" || type === "application/proto") return byPath[type].get(url);
      if (!contentTypeUnaryRegExp.test(type)) return undefined;
      return byPath[/json/i.test(type) ? "application/json" : "application/proto"].get(url);
    },

    async handle(endpoint, request, response) {
      const { headers } = request;
      const { promise: closed, resolve: close } = Promise.withResolvers<void>();
      const { timeoutMs, isAsked, isMalformed } = readDeadline(headers["connect-timeout-ms"], deadlines);
      const call = startCall(endpoint, request, response);
      const end = new UnaryEnd(call.startMs, timeoutMs);
      response.once("close", () => {
        end.end();
        close();
      });
      const answer = new UnaryAnswer(endpoint.contentType);
      const { request: decoder, response: encoder } = negotiate(endpoint, headers);
      try {
        const caller = open(endpoint, call, headers.authorization, end);
        if (isMalformed) throw new SluiceError("MALFORMED", "the deadline is malformed");
        checkAnnounced(request, endpoint.bytesMax);
        // Who waits to be asked for the body is asked now that it is to be read.
        if (headers.expect?.toLowerCase() === "100-continue") response.writeContinue();
        const body = await receive(request, endpoint.bytesMax, end, isAsked ? deadlinePassed : noRequestWithin);
        const plain = decoder === null ? body : await decoder.decompress(body, endpoint.bytesMax);
        const message = endpoint.read(plain);
        // Perhaps while it was decompressed.
        if (end.expired !== undefined) throw end.expired;
        call.isHandled = true;
        const answered = await handleInTime(() => endpoint.handle(caller, message), end);
        addQuotaHeaders(answer, answered.quotas);
        addRetryAfter(answer, answered.retryDelayMs);
        answer.body = endpoint.write(answered.message);
      } catch (thrown) {
        answer.fail(failUnary(call, thrown, answer));
      }
      end.end();
      try {
        if (encoder !== null) await answer.compress(encoder);
        if (!call.isCut()) answer.send(response);
      } catch (thrown) {
        if (!call.isCut() && call.error === undefined) failCall(call, thrown);
        if (response.headersSent) response.destroy();
        else refuse(response);
      }
      await closed;
      // HTTP/2's response says that it has finished when it was cancelled, too.
      recordCall(callLog, call, request.aborted || !response.writableFinished);
    },
  };
}

function byPathOf(endpoints: readonly UnaryEndpoint[], type: UnaryEndpoint["contentType"]): Map<string, UnaryEndpoint> {
  return new Map(endpoints.filter(({ contentType }) => contentType === type).map((one) => [one.path, one]));
}

function startCall({ desc, bytesMax }: UnaryEndpoint, request: Request, response: Response): ConnectCall {
  const refusal = refuseCompression(request.headers["content-encoding"], "content-");
  return {
    method: desc.name,
    entrance: "connect",
    messageBytesMax: bytesMax,
    startMs: performance.now(),
    isHandled: false,
    isCut: () => request.aborted || response.destroyed,
    ...(refusal && { refusal }),
  };
}

/** How the body is compressed, and how a long answer is to be. */
function negotiate({ compressions }: UnaryEndpoint, headers: IncomingHttpHeaders): Negotiated {
  const { "content-encoding": sent = null, "accept-encoding": accepted = null } = headers;
  if (sent === null && accepted === null) return nothingCompressed;
  return compressionNegotiate([...compressions], sent, accepted?.toString() ?? null, "accept-encoding");
}

type Negotiated = Pick<ReturnType<typeof compressionNegotiate>, "request" | "response">;

const nothingCompressed: Negotiated = { request: null, response: null };

function receive(
  request: Request,
  bytesMax: number,
  end: UnaryEnd,
  toLate: (timeoutMs: number) => SluiceError,
): Promise<Uint8Array> {
  return new Promise((resolve, reject) => {
    const drop = collectBody(request, bytesMax, resolve, reject);
    const rejectLate = (error: SluiceError) => {
      drop();
      reject(error);
    };
    end.rejectAtDeadline(rejectLate, toLate);
  });
}

/**
 * What a handler gives, or the deadline's error at the deadline: storage may be silent for longer. A handler that ends
 * because of the deadline, and has more to say of it, has a moment to do so.
 */
function handleInTime<T>(handle: () => Promise<T>, end: UnaryEnd): Promise<T> {
  return new Promise((resolve, reject) => {
    end.rejectAtDeadline(reject);
    handle().then(resolve, reject);
  });
}

/** A fault in answering at all. */
function refuse(response: Response): void {
  response.statusCode = 500;
  response.end();
}

/** Notes why the call failed, and gives what to tell the caller. */
function failUnary(call: ConnectCall, thrown: unknown, headers: AnswerHeaders): ConnectError {
  if (thrown instanceof ConnectError && thrown === call.refusal) {
    call.code = nameOfCode(thrown.code);
    return thrown;
  }
  const error = call.isHandled ? toSluiceError(thrown) : toReadError(thrown, call);
  if (call.isHandled) addErrorHeaders(headers, error);
  return failCall(call, error);
}
