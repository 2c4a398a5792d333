import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { type ConnectError, createContextValues } from "@connectrpc/connect";
import type { UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { CallLog } from "../call-log.ts";
import type { Entrance } from "../domain/entrance.ts";
import { SluiceError } from "../domain/errors.ts";
import { checkMessages, limitTime, readPieces } from "./connect-body.ts";
import type { ConnectCall } from "./connect-call.ts";
import { callKey, failCall, recordCall } from "./connect-call.ts";
import { refuseCompression } from "./connect-compression.ts";
import { setDeadline } from "./connect-deadline.ts";
import { hasEvents, messageBytesMaxOf } from "./connect-methods.ts";
import { deadlinePassed, isSocketError, noRequestWithin, toUnread } from "./connect-refusal.ts";
import type { ConnectRoute, ConnectRouterDeps } from "./connect-router.ts";
import { createRoutes, createUnknownRoute } from "./connect-router.ts";
import { createUnaryCalls } from "./connect-unary.ts";
import { checkEncodedEventCount } from "./event-count.ts";
import { guardTails } from "./guard-tails.ts";
import { createOpenCallLimit } from "./open-call-limit.ts";

export interface ConnectRoutesDeps extends ConnectRouterDeps {
  readonly callLog: CallLog;
  readonly limits?: Partial<ConnectLimits>;
}

export interface ConnectLimits {
  /** How long a call with one message in each direction may take when its caller sets no deadline. Default 10 s. */
  readonly deadlineDefaultMs: number;
  /** The longest deadline of such a call; a longer one is cut to it. Default 5 min. */
  readonly deadlineMaxMs: number;
  /** Calls of Watch and reflection at a time, which need no key. Default 1,000. */
  readonly openCalls: number;
  /** Tails at a time. Default 10,000. */
  readonly tails: number;
}

const limitDefaults: ConnectLimits = {
  deadlineDefaultMs: 10_000,
  deadlineMaxMs: 300_000,
  openCalls: 1000,
  tails: 10_000,
};

/** Serves calls over Connect, gRPC-Web and gRPC from Node's requests, HTTP/1.1's and HTTP/2's. */
export interface ConnectRoutes {
  /** Whether a request is a call: for one of the services here, or in a content type that only gRPC has. */
  accepts(request: IncomingMessage | Http2ServerRequest): boolean;
  /** Answers a call, whatever it holds. Settles when the response is closed; never rejects. */
  handle(request: IncomingMessage | Http2ServerRequest, response: ServerResponse | Http2ServerResponse): Promise<void>;
}

/**
 * Serves EventService to those who show a key, health and reflection to all. Every call has its line in the call log,
 * those refused before their method too.
 */
export function createConnectRoutes(deps: ConnectRoutesDeps): ConnectRoutes {
  const limits = { ...limitDefaults, ...deps.limits };
  const handlers = guardTails(deps.handlers, limits.tails);
  const routes = createRoutes({ ...deps, handlers }, createOpenCallLimit(limits.openCalls));
  const unknown = createUnknownRoute();
  const deadlines = { defaultMs: limits.deadlineDefaultMs, maxMs: limits.deadlineMaxMs };
  const unary = createUnaryCalls({ ...deps, handlers, deadlines });
  const services = new Set([...routes.keys()].map((path) => path.split("/")[1]));

  async function answer(
    request: IncomingMessage | Http2ServerRequest,
    response: ServerResponse | Http2ServerResponse,
    universal: UniversalServerRequest,
    { route, call, isGrpc, isEnveloped, isJson }: IncomingCall,
  ): Promise<UniversalServerResponse> {
    const isStream = route.kind === "client_streaming" || route.kind === "bidi_streaming";
    const policy = route.kind === "unary" ? deadlines : {};
    const isAsked = universal.header.has(isGrpc ? "grpc-timeout" : "connect-timeout-ms");
    const timeoutMs = setDeadline(universal.header, isGrpc, policy) ?? limits.deadlineDefaultMs;
    const expire = () => failCall(call, isAsked ? deadlinePassed() : noRequestWithin(timeoutMs));
    const received = readAskedFor(request, response, isEnveloped);
    const isCounted = !isJson && hasEvents(route.method) && (isEnveloped || !universal.header.has("content-encoding"));
    const pieces = isCounted ? checkMessages(received, isEnveloped, checkCount) : received;
    const body = isStream ? pieces : limitTime(pieces, timeoutMs, expire);
    return (isJson ? route.json : route.proto)({ ...universal, body });
  }

  return {
    accepts: ({ url = "", headers }) =>
      routes.has(url) ||
      services.has(/^(?:https?:\/\/[^/]*)?\/([\w.]+)\//i.exec(url)?.[1]) ||
      (headers["content-type"] ?? "").startsWith("application/grpc"),

    async handle(request, response) {
      const endpoint = unary.find(request);
      if (endpoint !== undefined) return unary.handle(endpoint, request, response);
      const { promise: closed, resolve: close } = Promise.withResolvers<void>();
      response.once("close", close);
      response.on("error", () => {});
      const values = createContextValues();
      let universal: UniversalServerRequest;
      try {
        universal = universalRequestFromNodeRequest(request, response, undefined, values);
      } catch {
        refuse(response, 400);
        return;
      }
      const incoming = readCall(universal, () => request.aborted || response.destroyed);
      values.set(callKey, incoming.call);
      try {
        const answered = await answer(request, response, universal, incoming);
        // Refused by its HTTP method or its content type.
        if (answered.status >= 400) incoming.call.code ??= "UNIMPLEMENTED";
        // It does not settle when the response has gone out.
        await Promise.race([universalResponseToNodeResponse(answered, response), closed]);
      } catch (thrown) {
        const isOurs = !response.destroyed && !response.writableEnded && !isSocketError(thrown);
        if (isOurs && incoming.call.error === undefined) failCall(incoming.call, thrown);
        if (response.headersSent) response.destroy();
        else refuse(response, 500);
      }
      await closed;
      // HTTP/2's response says that it has finished when it was cancelled, too.
      recordCall(deps.callLog, incoming.call, request.aborted || !response.writableFinished);
    },
  };

  function readCall(request: UniversalServerRequest, isCut: () => boolean): IncomingCall {
    const url = new URL(request.url);
    const contentType = (request.header.get("content-type") ?? "").toLowerCase();
    const isGrpc = contentType.startsWith("application/grpc");
    const route = routes.get(url.pathname) ?? unknown;
    const refusal = refusalOf(request, url, contentType);
    return {
      route,
      isGrpc,
      isEnveloped: isGrpc || contentType.startsWith("application/connect+"),
      isJson: request.method === "GET" ? url.searchParams.get("encoding") === "json" : contentType.includes("json"),
      call: {
        method: route.method === undefined ? "unknown" : route.method.name,
        entrance: toEntrance(contentType, isGrpc),
        messageBytesMax: route.method === undefined ? 0 : messageBytesMaxOf(route.method),
        startMs: performance.now(),
        isHandled: false,
        isCut,
        ...(refusal && { refusal }),
      },
    };
  }
}

const checkCount = (message: Uint8Array) => toUnread(() => checkEncodedEventCount(message));

/** The pieces of the body. Who waits to be asked for it (`Expect: 100-continue`) is asked when it is to be read. */
async function* readAskedFor(
  request: IncomingMessage | Http2ServerRequest,
  response: ServerResponse | Http2ServerResponse,
  isEnveloped: boolean,
): AsyncGenerator<Uint8Array> {
  if (request.headers.expect?.toLowerCase() === "100-continue") response.writeContinue();
  yield* readPieces(request, isEnveloped);
}

function refuse(response: ServerResponse | Http2ServerResponse, status: number): void {
  response.statusCode = status;
  response.end();
}

interface IncomingCall {
  readonly route: ConnectRoute;
  readonly call: ConnectCall;
  readonly isGrpc: boolean;
  /** Whether each message has a head that says how long it is. */
  readonly isEnveloped: boolean;
  readonly isJson: boolean;
}

function toEntrance(contentType: string, isGrpc: boolean): Entrance {
  if (!isGrpc) return "connect";
  return contentType.startsWith("application/grpc-web") ? "grpc-web" : "grpc";
}

/** What is wrong with a request that Connect would take for a fault of ours, or quote in its answer. */
function refusalOf(
  { method, header }: UniversalServerRequest,
  url: URL,
  contentType: string,
): SluiceError | ConnectError | undefined {
  const { searchParams } = url;
  const isGet = method === "GET";
  if (isGet && searchParams.get("base64") === "1" && !isBase64(searchParams.get("message") ?? "")) {
    return new SluiceError("MALFORMED", "the message in the query is not base64");
  }
  const prefix = contentType.startsWith("application/grpc")
    ? "grpc-"
    : contentType.startsWith("application/connect+")
      ? "connect-content-"
      : "content-";
  return refuseCompression(isGet ? searchParams.get("compression") : header.get(`${prefix}encoding`), prefix);
}

/** Of either alphabet, padded or not. One character alone is no byte. */
function isBase64(text: string): boolean {
  return /^[\w+/-]*={0,2}$/.test(text) && text.replace(/=+$/, "").length % 4 !== 1;
}
