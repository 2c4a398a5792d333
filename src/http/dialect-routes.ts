import { METHODS } from "node:http";
import type { FastifyInstance, FastifyReply } from "fastify";
import { createBodyBudget } from "./body-budget.ts";
import type { Dialect, Endpoint } from "./dialect.ts";
import { answerAsDialect } from "./dialect-answer.ts";
import { RequestRefused, statusText } from "./refusal.ts";
import type { ServeDialect, ServeDialectDeps } from "./serve-dialect.ts";
import { createDialectServer } from "./serve-dialect.ts";

export interface DialectRoutesDeps extends ServeDialectDeps {
  readonly dialects: readonly Dialect[];
}

/** Of all bodies that are being read or handled at a time. */
const bodyBytesMax = 128 << 20;

/** Of those that are read before anyone knows whose they are. */
const keylessBodyBytesMax = 16 << 20;

/** Adds the routes of dialects. Whatever is asked of them, and however, is answered in the vendor's shape. */
export function addDialectRoutes(app: FastifyInstance, deps: DialectRoutesDeps): void {
  const budgets = {
    body: createBodyBudget(bodyBytesMax),
    keylessBody: createBodyBudget(keylessBodyBytesMax),
  };
  // Fastify knows but a few, and has no way to say "all".
  for (const method of METHODS) {
    if (method !== "CONNECT" && !app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true });
  }
  for (const dialect of deps.dialects) {
    const serve = createDialectServer(dialect, deps, budgets);
    for (const [path, endpoints] of byPath(dialect.endpoints)) addPath(app, dialect, path, endpoints, serve);
  }
}

/**
 * Answers a request that has no route in the shape of the dialect whose paths begin as its does; undefined where there is
 * none. `thrown` is why it has no route, if it is not just unknown.
 */
export function answerUnrouted(
  dialects: readonly Dialect[],
  url: string,
  reply: FastifyReply,
  thrown?: unknown,
): FastifyReply | undefined {
  const dialect = dialects.find(({ endpoints }) => endpoints.some(({ path }) => url.startsWith(fixedPartOf(path))));
  if (dialect === undefined) return undefined;
  const refused = thrown ?? new RequestRefused(404, "PATH_UNKNOWN", "there is nothing at this path");
  return answerAsDialect(dialect, reply, { thrown: toRefused(refused) });
}

function fixedPartOf(path: string): string {
  return path.split(":", 1)[0] ?? path;
}

function addPath(
  app: FastifyInstance,
  dialect: Dialect,
  url: string,
  endpoints: readonly Endpoint[],
  serve: ServeDialect,
): void {
  const errorHandler = (error: unknown, _request: unknown, reply: FastifyReply) =>
    answerAsDialect(dialect, reply, { thrown: toRefused(error) });
  for (const endpoint of endpoints) {
    app.route({
      method: endpoint.method,
      url,
      errorHandler,
      handler: (request, reply) => serve(endpoint, request, reply),
    });
  }
  const known = endpoints.map(({ method }): string => method);
  const allow = known.join(", ");
  const refused = Object.assign({}, ...endpoints.map(({ refusedMethods }) => refusedMethods));
  app.route({
    // Fastify answers HEAD where there is a GET.
    method: app.supportedMethods.filter((method) => !known.includes(method === "HEAD" ? "GET" : method)),
    url,
    errorHandler,
    handler({ method }, reply) {
      const text = Object.hasOwn(refused, method) ? String(refused[method]) : `the method has to be ${allow}`;
      return answerAsDialect(dialect, reply, { thrown: new RequestRefused(405, "METHOD_NOT_ALLOWED", text, allow) });
    },
  });
}

function byPath(endpoints: readonly Endpoint[]): Map<string, Endpoint[]> {
  return Map.groupBy(endpoints, ({ path }) => path);
}

/** Fastify's own errors say which status they stand for, and may quote the request. */
function toRefused(error: unknown): unknown {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  if (error instanceof RequestRefused || typeof status !== "number" || status < 400 || status >= 500) return error;
  return new RequestRefused(status, status === 415 ? "UNSUPPORTED_MEDIA_TYPE" : "MALFORMED", statusText(status));
}
