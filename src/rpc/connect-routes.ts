import type { IncomingMessage, ServerResponse } from "node:http";
import type { Http2ServerRequest, Http2ServerResponse } from "node:http2";
import { createContextValues } from "@connectrpc/connect";
import type { UniversalServerRequest, UniversalServerResponse } from "@connectrpc/connect/protocol";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";
import type { CallLog } from "../call-log.ts";
import { SluiceError } from "../domain/errors.ts";
import type { Entrance } from "../domain/project.ts";
import { limitTime, readPieces } from "./connect-body.ts";
import type { ConnectCall } from "./connect-call.ts";
import { callKey, failCall, recordCall } from "./connect-call.ts";
import { setDeadline } from "./connect-deadline.ts";
import { messageBytesMaxOf } from "./connect-methods.ts";
import type { ConnectRoute, ConnectRouterDeps } from "./connect-router.ts";
import { createRoutes, createUnknownRoute } from "./connect-router.ts";

export interface ConnectRoutesDeps extends ConnectRouterDeps {
  readonly callLog: CallLog;
  readonly limits?: Partial<ConnectLimits>;
}

export interface ConnectLimits {
  /** How long a call with one message in each direction may take when its caller sets no deadline. Default 10 s. */
  readonly deadlineDefaultMs: number;
  /** The longest deadline of such a call; a longer one is cut to it. Default 5 min. */
  readonly deadlineMaxMs: number;
}

const limitDefaults: ConnectLimits = { deadlineDefaultMs: 10_000, deadlineMaxMs: 300_000 };

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
  const routes = createRoutes(deps);
  const unknown = createUnknownRoute();
  const services = new Set([...routes.keys()].map((path) => path.split("/")[1]));

  async function answer(
    request: IncomingMessage | Http2ServerRequest,
    universal: UniversalServerRequest,
    { route, call, isGrpc, isEnveloped, isJson }: IncomingCall,
  ): Promise<UniversalServerResponse> {
    const isStream = route.kind === "client_streaming" || route.kind === "bidi_streaming";
    const policy = route.kind === "unary" ? { defaultMs: limits.deadlineDefaultMs, maxMs: limits.deadlineMaxMs } : {};
    const timeoutMs = setDeadline(universal.header, isGrpc, policy) ?? limits.deadlineDefaultMs;
    const expire = () => failCall(call, new SluiceError("STREAM_IDLE", `no request within ${timeoutMs / 1000} s`));
    const pieces = readPieces(request, isEnveloped);
    const body = isStream ? pieces : limitTime(pieces, timeoutMs, expire);
    return (isJson ? route.json : route.proto)({ ...universal, body });
  }

  return {
    accepts: ({ url, headers }) =>
      services.has(/^(?:https?:\/\/[^/]*)?\/([\w.]+)\//i.exec(url ?? "")?.[1]) ||
      (headers["content-type"] ?? "").startsWith("application/grpc"),

    async handle(request, response) {
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
      const incoming = readCall(universal);
      values.set(callKey, incoming.call);
      try {
        const answered = await answer(request, universal, incoming);
        // Refused by its HTTP method or its content type.
        if (answered.status >= 400) incoming.call.code ??= "UNIMPLEMENTED";
        // It does not settle when the response has gone out.
        await Promise.race([universalResponseToNodeResponse(answered, response), closed]);
      } catch (thrown) {
        if (!response.destroyed && !response.writableEnded) failCall(incoming.call, thrown);
        if (response.headersSent) response.destroy();
        else refuse(response, 500);
      }
      await closed;
      // HTTP/2's response says that it has finished when it was cancelled, too.
      recordCall(deps.callLog, incoming.call, request.aborted || !response.writableFinished);
    },
  };

  function readCall(request: UniversalServerRequest): IncomingCall {
    const url = new URL(request.url);
    const contentType = (request.header.get("content-type") ?? "").toLowerCase();
    const isGrpc = contentType.startsWith("application/grpc");
    const route = routes.get(url.pathname) ?? unknown;
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
        ...(isBadBase64(request.method, url) && {
          refusal: new SluiceError("MALFORMED", "the message in the query is not base64"),
        }),
      },
    };
  }
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

/** Connect would take it for a fault of ours. */
function isBadBase64(method: string, { searchParams }: URL): boolean {
  return (
    method === "GET" && searchParams.get("base64") === "1" && !/^[\w+/=-]*$/.test(searchParams.get("message") ?? "")
  );
}
