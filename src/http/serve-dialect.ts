import type { FastifyReply, FastifyRequest } from "fastify";
import type { CallLog } from "../call-log.ts";
import type { Access, Grant, Permission } from "../domain/access.ts";
import { bearerKey, requireAnyPermission } from "../domain/access.ts";
import { SluiceError, toSluiceError } from "../domain/errors.ts";
import type { OfferedEvent } from "../domain/event.ts";
import type { GetEvent } from "../domain/get-event.ts";
import type { ListEvents } from "../domain/list-events.ts";
import type { EventOutcome } from "../domain/outcome.ts";
import type { Clock } from "../domain/ports.ts";
import type { Caller } from "../domain/project.ts";
import { environmentFor } from "../domain/project-rules.ts";
import type { Track } from "../domain/track.ts";
import type { BodyBudget } from "./body-budget.ts";
import type { Dialect, Endpoint, ListEndpoint, RequestHead, TrackEndpoint } from "./dialect.ts";
import type { DialectResult } from "./dialect-answer.ts";
import { answerAsDialect } from "./dialect-answer.ts";
import { idsByKey } from "./idempotency-key.ts";
import { listForDialect } from "./list-for-dialect.ts";
import { parseBody } from "./parse-body.ts";
import { readBody } from "./read-body.ts";
import { toRefusal } from "./refusal.ts";

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
  readonly body: BodyBudget;
  readonly keylessBody: BodyBudget;
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
      result = await Promise.race([serve(endpoint, toHead(request), request, reply, call), call.expired]);
    } catch (thrown) {
      result = { thrown };
    } finally {
      call.end();
    }
    const { grant } = call;
    try {
      answerAsDialect(dialect, reply, result);
    } catch (thrown) {
      result = { thrown: toSluiceError(thrown) };
      answerAsDialect(dialect, reply, result);
    }
    const refusal = "thrown" in result ? toRefusal(result.thrown) : undefined;
    callLog.record({
      method: endpoint.name,
      entrance: dialect.entrance,
      code: refusal === undefined ? "OK" : String(refusal.status),
      durationMs: performance.now() - startMs,
      ...(grant && { project: grant.project.name, key: grant.keyName }),
      ...(refusal && { reason: refusal.reason }),
      ...(refusal?.cause === undefined ? {} : { cause: refusal.cause }),
    });
    return reply;
  };

  async function serve(
    endpoint: Endpoint,
    head: RequestHead,
    request: FastifyRequest,
    reply: FastifyReply,
    call: DialectCall,
  ): Promise<DialectResult> {
    switch (endpoint.kind) {
      case "open":
        return { reply: endpoint.answer(clock.nowMs()), quotas: [], notices: [] };
      case "list": {
        reply.raw.once("close", () => call.abort(new SluiceError("CALL_ENDED", "the caller went away")));
        return list(endpoint, head, openProject(head, keyOf(head), "list", call), call);
      }
      case "track":
        return track(endpoint, head, request, reply, call);
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
      budget: isKeyless ? budgets.keylessBody : budgets.body,
      signal: call.signal,
    };
    return readBody(request.raw, reply.raw, options, async (bytes) => {
      call.isRead = true;
      const { body, isForm } = parseBody(bytes, request.raw.headers["content-type"], endpoint.takesForms === true);
      const caller = toCaller(grant ?? openProject(head, endpoint.keyInBody?.(body), "track", call), call);
      const offer = endpoint.read({
        ...head,
        body,
        isForm,
        environment: environmentFor(caller),
        nowMs: clock.nowMs(),
        eventId: idsByKey(head.headers["idempotency-key"]),
      });
      const { outcomes, quotas } = await services().track.trackAll(caller, offer.events);
      const answer = { outcomes: outcomes.map((outcome, i) => rename(outcome, offer.events[i])), quotas };
      return { reply: offer.answer(answer, clock.nowMs()), quotas, notices: offer.notices ?? [] };
    });
  }

  async function list(
    endpoint: ListEndpoint,
    head: RequestHead,
    grant: Grant,
    call: DialectCall,
  ): Promise<DialectResult> {
    const listing = endpoint.read(head);
    const page = await listForDialect(services(), toCaller(grant, call), listing);
    return { reply: listing.answer(page), quotas: [], notices: [] };
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

  function toCaller({ project, environments }: Grant, { signal }: DialectCall): Caller {
    return {
      project,
      environments,
      entrance: dialect.entrance,
      signal,
      remainingMs: () => requestMs,
      recheckKey() {},
    };
  }

  /** With the vendor's name of the field at fault; an event that the dialect refused has that already. */
  function rename(outcome: EventOutcome, offered: OfferedEvent | undefined): EventOutcome {
    if (outcome.kind !== "rejected" || offered === undefined || "refusal" in offered) return outcome;
    const { field, message } = outcome.violation;
    return { ...outcome, violation: { field: field === "" ? "" : dialect.fieldName(field), message } };
  }
}

/** A request while it is served. */
interface DialectCall {
  /** Aborted when its time is up. Not when its sender is gone: who sends an event and hangs up wants it stored. */
  readonly signal: AbortSignal;
  /** Rejects when its time is up, or when it is aborted. */
  readonly expired: Promise<never>;
  /** Whether all of the request is here: from then on, it is we who take the time. */
  isRead: boolean;
  grant?: Grant;
  abort(reason: SluiceError): void;
  end(): void;
}

function startCall(requestMs: number): DialectCall {
  const aborter = new AbortController();
  const { promise: expired, reject } = Promise.withResolvers<never>();
  const call: DialectCall = {
    signal: aborter.signal,
    expired,
    isRead: false,
    abort(reason) {
      reject(reason);
      aborter.abort(reason);
    },
    end() {
      clearTimeout(timer);
    },
  };
  const timer = setTimeout(() => {
    const late = call.isRead
      ? new SluiceError("DEADLINE_EXCEEDED", "the request took too long")
      : new SluiceError("STREAM_IDLE", `no request within ${requestMs / 1000} s`);
    call.abort(late);
  }, requestMs);
  return call;
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
