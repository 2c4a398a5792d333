import { Http2ServerRequest } from "node:http2";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { CallLog } from "../call-log.ts";
import type { Access, Grant, Permission } from "../domain/access.ts";
import { bearerKey, requireAnyPermission } from "../domain/access.ts";
import { SluiceError } from "../domain/errors.ts";
import type { GetEvent } from "../domain/get-event.ts";
import type { ListEvents } from "../domain/list-events.ts";
import type { Clock } from "../domain/ports.ts";
import type { Caller } from "../domain/project.ts";
import { environmentFor } from "../domain/project-rules.ts";
import type { Track } from "../domain/track.ts";
import type { BodyBudget, BodyLease } from "./body-budget.ts";
import type { Dialect, Endpoint, ListEndpoint, Offer, RequestHead, TrackEndpoint } from "./dialect.ts";
import type { DialectResult } from "./dialect-answer.ts";
import { answerAsDialect } from "./dialect-answer.ts";
import type { DialectCall } from "./dialect-call.ts";
import { startCall } from "./dialect-call.ts";
import { recordRequest } from "./dialect-log.ts";
import { idsByKey } from "./idempotency-key.ts";
import { listForDialect } from "./list-for-dialect.ts";
import { parseBody } from "./parse-body.ts";
import { readBody } from "./read-body.ts";
import { toRefusal } from "./refusal.ts";
import { renameFault, renameOutcome } from "./rename-fault.ts";
import type { HttpRequest } from "./request-guard.ts";

/** What the requests of dialects are for. */
export interface DialectServices {
  readonly track: Pick<Track, "trackAll">;
  readonly listEvents: ListEvents;
  readonly getEvent: GetEvent;
}

export interface ServeDialectDeps {
  /** Throws STORAGE_UNAVAILABLE while the server is starting. */
  services(): DialectServices;
  readonly access: Access;
  readonly callLog: CallLog;
  readonly clock: Pick<Clock, "nowMs">;
  /** How long a request may take, its body's arrival included. */
  readonly requestMs: number;
}

/** Bytes that the bodies of requests may take at a time, with a key that was looked at and without. */
export interface BodyBudgets {
  readonly keyed: BodyBudget;
  readonly keyless: BodyBudget;
}

/** Serves one request, and sends its answer whatever happens. Never rejects. */
export type ServeDialect = (endpoint: Endpoint, request: FastifyRequest, reply: FastifyReply) => Promise<FastifyReply>;

/** Serves the requests of one dialect, and has a line in the call log for each. */
export function createDialectServer(dialect: Dialect, deps: ServeDialectDeps, budgets: BodyBudgets): ServeDialect {
  const { access, callLog, clock, services, requestMs } = deps;

  return async (endpoint, request, reply) => {
    const startMs = performance.now();
    const call = startCall(requestMs);
    let result: DialectResult;
    try {
      result = await Promise.race([serve(endpoint, request, reply, call), call.givenUp]);
    } catch (thrown) {
      result = { refusal: toRefusal(thrown) };
    }
    call.end();
    try {
      answerAsDialect(dialect, reply, result);
    } catch (thrown) {
      result = { refusal: toRefusal(new SluiceError("INTERNAL", "internal error", { cause: thrown })) };
      answerAsDialect(dialect, reply, result);
    }
    recordRequest(callLog, dialect, {
      method: endpoint.name,
      durationMs: performance.now() - startMs,
      grant: call.grant,
      refusal: "refusal" in result ? result.refusal : undefined,
    });
    return reply;
  };

  async function serve(
    endpoint: Endpoint,
    request: FastifyRequest,
    reply: FastifyReply,
    call: DialectCall,
  ): Promise<DialectResult> {
    const head = toHead(request);
    switch (endpoint.kind) {
      case "open":
        return { reply: endpoint.answer(clock.nowMs()), quotas: [], notices: [] };
      case "list":
        call.isRead = true;
        reply.raw.once("close", () => call.abort(new SluiceError("CALL_ENDED", "the caller went away")));
        return list(endpoint, head, call);
      case "track":
        return track(endpoint, head, request, reply, call);
    }
  }

  async function list(endpoint: ListEndpoint, head: RequestHead, call: DialectCall): Promise<DialectResult> {
    const caller = toCaller(openProject(head, keyOf(head), "list", call), call);
    const listing = endpoint.read(head);
    try {
      const page = await listForDialect(services(), caller, listing);
      return { reply: listing.answer(page), quotas: [], notices: [] };
    } catch (thrown) {
      throw renameFault(dialect, thrown);
    }
  }

  async function track(
    endpoint: TrackEndpoint,
    head: RequestHead,
    request: FastifyRequest,
    reply: FastifyReply,
    call: DialectCall,
  ): Promise<DialectResult> {
    const isKeyless = endpoint.keyInBody !== undefined;
    const grant = isKeyless ? undefined : openProject(head, keyOf(head), "track", call);
    const options = {
      bytesMax: endpoint.bodyBytesMax,
      budget: isKeyless ? budgets.keyless : budgets.keyed,
      // Who shows no key is known by the connection.
      owner: grant?.project.name ?? connectionOf(request.raw),
      // Browsers do not compress beacons, and little on the wire can be a lot to parse.
      isGzipTaken: !isKeyless,
      signal: call.signal,
    };
    return readBody(request.raw, reply.raw, options, async (bytes, lease) => {
      call.isRead = true;
      const { caller, offer } = readOffer(endpoint, head, bytes, lease, grant, call);
      const { outcomes, quotas } = await services().track.trackAll(caller, offer.events);
      const renamed = outcomes.map((outcome, i) => renameOutcome(dialect, outcome, offer.events[i]));
      const answered = offer.answer({ outcomes: renamed, quotas }, clock.nowMs());
      return { reply: answered, quotas, notices: offer.notices ?? [] };
    });
  }

  /** Keeps nothing of the body but its events: parsed, it takes many times its size until storage has answered. */
  function readOffer(
    endpoint: TrackEndpoint,
    head: RequestHead,
    bytes: Buffer,
    lease: BodyLease,
    grant: Grant | undefined,
    call: DialectCall,
  ): { caller: Caller; offer: Offer } {
    const { headers } = head;
    const contentType = typeof headers["content-type"] === "string" ? headers["content-type"] : undefined;
    const { body, isForm } = parseBody(bytes, contentType, endpoint.takesForms === true, lease);
    const caller = toCaller(grant ?? openProject(head, endpoint.keyInBody?.(body), "track", call), call);
    const offer = endpoint.read({
      ...head,
      body,
      isForm,
      environment: environmentFor(caller),
      nowMs: clock.nowMs(),
      eventId: idsByKey(headers["idempotency-key"]),
    });
    return { caller, offer };
  }

  function keyOf(head: RequestHead): string | undefined {
    if (dialect.key !== undefined) return dialect.key(head);
    const { authorization } = head.headers;
    return typeof authorization === "string" ? bearerKey(authorization) : undefined;
  }

  /** Throws KEY_MISSING, KEY_INVALID, PERMISSION_MISSING, or that the project is another one. */
  function openProject(head: RequestHead, key: string | undefined, permission: Permission, call: DialectCall): Grant {
    if (key === undefined || key === "") throw new SluiceError("KEY_MISSING", "the request has no key");
    const grant = access.open(key);
    call.grant = grant;
    requireAnyPermission(grant, [permission]);
    dialect.checkProject?.(head, grant.project.name);
    return grant;
  }

  function toCaller({ project, environments }: Grant, { signal, remainingMs }: DialectCall): Caller {
    return { project, environments, entrance: dialect.entrance, signal, remainingMs, recheckKey() {} };
  }
}

/** Over HTTP/2, each request looks as if it had a socket of its own. */
function connectionOf(request: HttpRequest): unknown {
  return request instanceof Http2ServerRequest ? request.stream.session : request.socket;
}

function toHead({ params, raw }: FastifyRequest): RequestHead {
  const url = raw.url ?? "";
  const queryStart = url.indexOf("?");
  return {
    params: isParams(params) ? params : {},
    query: queryStart === -1 ? noQuery : new URLSearchParams(url.slice(queryStart + 1)),
    headers: raw.headers,
  };
}

const noQuery = new URLSearchParams();

/** Fastify types them as unknown; they are texts. */
function isParams(params: unknown): params is Record<string, string> {
  return typeof params === "object" && params !== null;
}
