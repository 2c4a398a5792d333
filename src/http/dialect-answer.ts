import type { FastifyReply } from "fastify";
import type { Quota } from "../domain/quota.ts";
import { addQuotaHeaders, addRetryAfter } from "../quota-headers.ts";
import type { Dialect, Reply } from "./dialect.ts";
import type { Refusal } from "./refusal.ts";
import { toRefusal } from "./refusal.ts";

/** What came of a request: its reply, or what was thrown instead. */
export type DialectResult =
  | { readonly reply: Reply; readonly quotas: readonly Quota[]; readonly notices: readonly string[] }
  | { readonly thrown: unknown };

const noticesLengthMax = 1000;

/** Sends what came of a request in the shape of its dialect, with what rate limits have left. */
export function answerAsDialect(dialect: Dialect, reply: FastifyReply, result: DialectResult): FastifyReply {
  if ("thrown" in result) return answerRefusal(dialect, reply, toRefusal(result.thrown));
  const { notices, quotas } = result;
  if (notices.length > 0) reply.header("sluice-notice", notices.join("; ").slice(0, noticesLengthMax));
  return send(dialect, reply, result.reply, quotas);
}

/** Sends a refusal in the shape of its dialect. */
export function answerRefusal(dialect: Dialect, reply: FastifyReply, refusal: Refusal): FastifyReply {
  const { allow, retryDelayMs, quotas } = refusal;
  if (allow !== undefined) reply.header("allow", allow);
  addRetryAfter({ set: (name, value) => reply.header(name, value) }, retryDelayMs);
  return send(dialect, reply, dialect.refuse(refusal), quotas);
}

function send(dialect: Dialect, reply: FastifyReply, { status, body, headers }: Reply, quotas: readonly Quota[]) {
  reply.code(status);
  if (quotas.length > 0) {
    addQuotaHeaders({ set: (name, value) => reply.header(name, value) }, quotas);
    if (dialect.quotaHeaders !== undefined) reply.headers(dialect.quotaHeaders(quotas));
  }
  if (headers !== undefined) reply.headers(headers);
  if (body === undefined) return reply.send();
  return reply.header("content-type", "application/json; charset=utf-8").send(JSON.stringify(body));
}
