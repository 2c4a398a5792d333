import { METHODS } from "node:http";
import { getHeapStatistics } from "node:v8";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { isEntranceName } from "../domain/entrance.ts";
import { createBodyBudget } from "./body-budget.ts";
import type { Dialect, Endpoint } from "./dialect.ts";
import { answerAsDialect } from "./dialect-answer.ts";
import { recordRequest } from "./dialect-log.ts";
import { RequestRefused, statusText, toRefusal } from "./refusal.ts";
import type { ServeDialect, ServeDialectDeps } from "./serve-dialect.ts";
import { createDialectServer } from "./serve-dialect.ts";

export interface DialectRoutesDeps extends ServeDialectDeps {
  readonly dialects: readonly Dialect[];
  /** Bytes that all bodies may take while they are read and handled. Default: an eighth of the heap, 128 to 512 MiB. */
  readonly bodyBytesMax?: number;
  /** Of those that are read before anyone knows whose they are. Default: an eighth of that. */
  readonly keylessBodyBytesMax?: number;
}

function bodyBytesDefault(): number {
  return Math.min(512 << 20, Math.max(128 << 20, getHeapStatistics().heap_size_limit / 8));
}

/** Adds the routes of dialects. Whatever is asked of them, and however, is answered in the vendor's shape. */
export function addDialectRoutes(app: FastifyInstance, deps: DialectRoutesDeps): void {
  const { dialects, bodyBytesMax = bodyBytesDefault(), keylessBodyBytesMax = bodyBytesMax / 8 } = deps;
  const budgets = { keyed: createBodyBudget(bodyBytesMax), keyless: createBodyBudget(keylessBodyBytesMax) };
  // Fastify knows but a few, and has no way to say "all".
  for (const method of METHODS) {
    if (method !== "CONNECT" && !app.supportedMethods.includes(method)) app.addHttpMethod(method, { hasBody: true });
  }
  for (const dialect of dialects) {
    if (!isEntranceName(dialect.entrance)) throw new Error(`no dialect can be called ${dialect.entrance}`);
    const serve = createDialectServer(dialect, deps, budgets);
    for (const [path, endpoints] of Map.groupBy(dialect.endpoints, ({ path }) => path)) {
      addPath(app, deps, dialect, path, endpoints, serve);
    }
  }
}

/**
 * Answers a request that has no route in the shape of the dialect whose paths begin as its does; undefined where there is
 * none. `error` is why it has no route, if it is not just unknown.
 */
export function answerUnrouted(
  deps: Pick<DialectRoutesDeps, "dialects" | "callLog">,
  { raw: { url = "" } }: FastifyRequest,
  reply: FastifyReply,
  error: unknown = new RequestRefused(404, "PATH_UNKNOWN", "there is nothing at this path"),
): FastifyReply | undefined {
  const dialect = deps.dialects.find(({ endpoints }) =>
    endpoints.some(({ path }) => url.startsWith(fixedPartOf(path))),
  );
  return dialect && refuse(deps, dialect, reply, error);
}

function fixedPartOf(path: string): string {
  return path.split(":", 1)[0] ?? path;
}

function addPath(
  app: FastifyInstance,
  deps: DialectRoutesDeps,
  dialect: Dialect,
  url: string,
  endpoints: readonly Endpoint[],
  serve: ServeDialect,
): void {
  const errorHandler = (error: unknown, _request: unknown, reply: FastifyReply) => refuse(deps, dialect, reply, error);
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
      return refuse(deps, dialect, reply, new RequestRefused(405, "METHOD_NOT_ALLOWED", text, allow));
    },
  });
}

/** Refuses a request that got to no endpoint. */
function refuse(
  { callLog }: Pick<DialectRoutesDeps, "callLog">,
  dialect: Dialect,
  reply: FastifyReply,
  error: unknown,
): FastifyReply {
  const refusal = toRefusal(toRefused(error));
  recordRequest(callLog, dialect, { method: "unknown", durationMs: reply.elapsedTime, refusal });
  return answerAsDialect(dialect, reply, { refusal });
}

/** Fastify's own errors say which status they stand for, and may quote the request. */
function toRefused(error: unknown): unknown {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  if (error instanceof RequestRefused || typeof status !== "number" || status < 400 || status >= 500) return error;
  return new RequestRefused(status, status === 415 ? "UNSUPPORTED_MEDIA_TYPE" : "MALFORMED", statusText(status));
}
