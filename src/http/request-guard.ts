import type { IncomingMessage, ServerResponse } from "node:http";
import { constants, Http2ServerRequest, type Http2ServerResponse } from "node:http2";
import type { ListenerLimits } from "./listener-limits.ts";

/** A request over HTTP/1.1 or HTTP/2. */
export type HttpRequest = IncomingMessage | Http2ServerRequest;
/** The response to one. */
export type HttpResponse = ServerResponse | Http2ServerResponse;

const authorityForm = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~-]+)(?::\d{1,5})?$/;

/** Whether a request says which host it is for, in a form that a URL can hold. Adapters build one, and throw. */
export function hasValidAuthority(request: HttpRequest): boolean {
  const authority = request instanceof Http2ServerRequest ? request.authority : request.headers.host;
  return authority !== undefined && authorityForm.test(authority) && URL.canParse(`http://${authority}`);
}

/**
 * Ends a request whose sender stalls: it owes us the rest of the request, or room for the answer. And ends what is left
 * of a request once it has its answer; nobody reads it any more, but its sender could go on for ever.
 */
export function limitRequest(request: HttpRequest, response: HttpResponse, limits: ListenerLimits): void {
  response.on("error", () => {});
  response.setTimeout(limits.stallMs);
  const source = request instanceof Http2ServerRequest ? request.stream : response;
  source.on("timeout", () => {
    const isRequestOwed = !isComplete(request) && request.readableLength === 0;
    if (isRequestOwed || response.writableLength > 0) end(request);
    else response.setTimeout(limits.stallMs);
  });
  // Over HTTP/2, all else has been sent when the trailers are due; closing the stream any earlier would take them along.
  const answered = request instanceof Http2ServerRequest ? "wantTrailers" : "finish";
  source.once(answered, () => setImmediate(() => linger(request, limits.lingerMs)));
}

/**
 * Drops what still comes of a request, for a while: a sender that is cut off at once can lose the answer, over HTTP/1.1
 * with the connection, over HTTP/2 in its own client, which may stop reading when it can no longer write.
 */
function linger(request: HttpRequest, lingerMs: number): void {
  if (isComplete(request)) return;
  const timer = setTimeout(() => {
    if (request instanceof Http2ServerRequest) request.stream.close(constants.NGHTTP2_NO_ERROR);
    else request.destroy();
  }, lingerMs);
  const stop = () => clearTimeout(timer);
  request.once("end", stop);
  request.once("close", stop);
  // Whoever read it may have stopped half-way, and then holds it up.
  request.removeAllListeners("readable");
  request.resume();
}

function end(request: HttpRequest): void {
  if (request instanceof Http2ServerRequest) request.stream.close(constants.NGHTTP2_CANCEL);
  else request.socket.destroy();
}

function isComplete(request: HttpRequest): boolean {
  return request.complete || (request instanceof Http2ServerRequest && request.stream.endAfterHeaders);
}
