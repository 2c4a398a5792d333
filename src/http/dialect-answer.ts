import type { FastifyReply } from "fastify";
import type { Quota } from "../domain/quota.ts";
import { addQuotaHeaders, addRetryAfter } from "../quota-headers.ts";
import type { Dialect, Reply } from "./dialect.ts";
import type { Refusal } from "./refusal.ts";

/** What came of a request: its reply, or why it is not served. */
export type DialectResult =
  | { readonly reply: Reply; readonly quotas: readonly Quota[]; readonly notices: readonly string[] }
  | { readonly refusal: Refusal };

/** Sends what came of a request in the shape of its dialect, with what rate limits have left. */
export function answerAsDialect(dialect: Dialect, reply: FastifyReply, result: DialectResult): FastifyReply {
  const headers = { set: (name: string, value: string) => reply.header(name, value) };
  const quotas = "refusal" in result ? result.refusal.quotas : result.quotas;
  const { status, body, headers: own = {} } = "refusal" in result ? dialect.refuse(result.refusal) : result.reply;
  if ("refusal" in result) {
    const { allow, retryDelayMs } = result.refusal;
    if (allow !== undefined) reply.header("allow", allow);
    addRetryAfter(headers, retryDelayMs);
  } else if (result.notices.length > 0) {
    reply.header("sluice-notice", result.notices.join("; "));
  }
  addQuotaHeaders(headers, quotas);
  if (quotas.length > 0 && dialect.quotaHeaders !== undefined) reply.headers(dialect.quotaHeaders(quotas));
  reply.code(status).headers(own);
  if (body === undefined) return reply.send();
  return reply.header("content-type", "application/json; charset=utf-8").send(JSON.stringify(body));
}
