import { fastify } from "fastify";
import type { Logger } from "pino";
import type { ServingStatus } from "../domain/ports.ts";
import type { TlsIdentity } from "../tls/tls-identity.ts";
import { answerCors } from "./cors.ts";
import type { DialectRoutesDeps } from "./dialect-routes.ts";
import { addDialectRoutes, answerUnrouted } from "./dialect-routes.ts";
import type { Listener } from "./listener.ts";
import { listen } from "./listener.ts";
import type { ListenerLimits } from "./listener-limits.ts";
import { listenerLimits } from "./listener-limits.ts";
import { statusText } from "./refusal.ts";
import type { HttpRequest, HttpResponse } from "./request-guard.ts";

/** Takes the requests that are remote calls, before any route is looked up. */
export interface CallRoutes {
  accepts(request: HttpRequest): boolean;
  /** Never rejects. */
  handle(request: HttpRequest, response: HttpResponse): Promise<void>;
}

export interface HttpServerOptions {
  readonly host: string;
  /** 0: any free port. */
  readonly port: number;
  readonly calls: CallRoutes;
  readonly dialects: Omit<DialectRoutesDeps, "requestMs">;
  readonly serving: ServingStatus;
  readonly logger: Logger;
  /** With it, only connections over TLS are taken. */
  readonly tls?: TlsIdentity | undefined;
  readonly limits?: Partial<HttpLimits>;
}

export interface HttpLimits extends ListenerLimits {
  /** How long a request of a dialect may take, its body's arrival included. Default 10 s. */
  readonly requestMs: number;
}

const limitDefaults: HttpLimits = { ...listenerLimits, requestMs: 10_000 };

/**
 * Serves everything on one port, over HTTP/1.1 and HTTP/2: remote calls, dialects, `/healthz` (200 while the process
 * lives) and `/readyz` (503 while the server cannot do its work). Throws StartError for a port that cannot be had.
 */
export async function startHttpServer(options: HttpServerOptions): Promise<Listener> {
  const { host, port, calls, dialects, serving, logger, tls } = options;
  const limits = { ...limitDefaults, ...options.limits };
  const app = fastify({
    // A project's name in a path may be wrong, and is then to be told so.
    routerOptions: { maxParamLength: 1024 },
    // Fastify's own answers to what it cannot route quote the path.
    frameworkErrors(error, request, reply) {
      if (answerUnrouted(dialects, request, reply, error) === undefined) {
        reply.raw.writeHead(statusOf(error)).end();
      }
    },
  });

  // A body is read only by routes that ask for it, after they have looked at the key.
  app.removeAllContentTypeParsers();
  app.addContentTypeParser("*", (_request, _payload, done) => done(null));

  app.get("/healthz", () => ({ status: "ok" }));
  app.get("/readyz", (_request, reply) => {
    const isServing = serving.isServing();
    return reply.code(isServing ? 200 : 503).send({ status: isServing ? "ok" : "unavailable" });
  });
  app.setNotFoundHandler(
    (request, reply) => answerUnrouted(dialects, request, reply) ?? reply.code(404).send({ message: "Not Found" }),
  );
  app.setErrorHandler((error, _request, reply) => {
    const status = statusOf(error);
    if (status >= 500) logger.error({ err: error }, "a request failed");
    return reply.code(status).send({ message: statusText(status) });
  });
  addDialectRoutes(app, { ...dialects, requestMs: limits.requestMs });
  await app.ready();

  const listener = await listen({
    host,
    port,
    limits,
    logger,
    tls,
    onRequest(request, response) {
      if (answerCors(request, response)) return;
      if (calls.accepts(request)) void calls.handle(request, response);
      else app.routing(request, response);
    },
  });
  return {
    port: listener.port,
    async close(graceMs) {
      await listener.close(graceMs);
      await app.close();
    },
  };
}

/** Fastify's own errors say which status they stand for. */
function statusOf(error: unknown): number {
  const status = error instanceof Error && "statusCode" in error ? error.statusCode : undefined;
  return typeof status === "number" ? status : 500;
}
