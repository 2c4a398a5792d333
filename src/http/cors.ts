import { cors } from "@connectrpc/connect";
import type { HttpRequest, HttpResponse } from "./request-guard.ts";

/** What a browser may send if its question about that makes no sense; of a list, `*` would leave out `authorization`. */
const allowedHeaders = [
  ...cors.allowedHeaders.map((name) => name.toLowerCase()),
  "authorization",
  "idempotency-key",
].join(", ");

/** What a page may read of an answer. `*` is all of it, but older browsers take it for a name. */
const exposedHeaders = [
  "*",
  ...cors.exposedHeaders.map((name) => name.toLowerCase()),
  "ratelimit",
  "ratelimit-policy",
  "retry-after",
  "sluice-notice",
].join(", ");

/** Of the names that a browser asks for, which are sent back. */
const askedLengthMax = 4096;

const headerNames = /^[\w!#$%&'*+.^`|~-]+(?:[ \t]*,[ \t]*[\w!#$%&'*+.^`|~-]+)*$/;

/** How long a browser may remember an answer, in seconds: the most that any of them does. */
const rememberedSeconds = 7200;

/**
 * Lets the pages of any origin send requests and read the answers. A preflight is answered here, and true returned; to
 * the answer of any other request with an `origin`, headers are added.
 *
 * Any origin is safe: what opens a project is a key that the page itself has to have and to send. There are no cookies,
 * and `access-control-allow-credentials` is never sent, so a browser adds nothing of its user's own; a page can do no
 * more than whoever wrote it can without a browser.
 */
export function answerCors(request: HttpRequest, response: HttpResponse): boolean {
  const { headers, method } = request;
  if (headers.origin === undefined) return false;
  response.setHeader("access-control-allow-origin", "*");
  if (method !== "OPTIONS" || headers["access-control-request-method"] === undefined) {
    response.setHeader("access-control-expose-headers", exposedHeaders);
    return false;
  }
  const asked = headers["access-control-request-headers"] ?? "";
  const isList = asked.length <= askedLengthMax && headerNames.test(asked);
  response.setHeader("access-control-allow-methods", "GET, POST, PUT");
  response.setHeader("access-control-allow-headers", isList ? asked : allowedHeaders);
  response.setHeader("access-control-max-age", String(rememberedSeconds));
  response.setHeader("vary", "access-control-request-headers");
  response.statusCode = 204;
  response.end();
  return true;
}
