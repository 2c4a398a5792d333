import { toDurationText } from "./domain/duration-text.ts";
import type { Quota, RateLimit } from "./domain/quota.ts";

/** Headers of an answer. */
export interface AnswerHeaders {
  set(name: string, value: string): unknown;
}

/** Adds what rate limits have left, after draft-ietf-httpapi-ratelimit-headers. Nothing for a project without any. */
export function addQuotaHeaders(header: AnswerHeaders, quotas: readonly Quota[]): void {
  if (quotas.length === 0) return;
  header.set("ratelimit-policy", quotas.map(({ limit }) => toPolicy(limit)).join(", "));
  header.set("ratelimit", quotas.map(toState).join(", "));
}

/** Adds when to try again; nothing where there is no point in it. */
export function addRetryAfter(header: AnswerHeaders, retryDelayMs: number | undefined): void {
  if (retryDelayMs !== undefined) header.set("retry-after", String(Math.max(1, toSeconds(retryDelayMs))));
}

function toPolicy(limit: RateLimit): string {
  return `${nameOf(limit)};q=${limit.events};w=${toSeconds(limit.perMs)}`;
}

function toState({ limit, remaining, resetAfterMs }: Quota): string {
  return `${nameOf(limit)};r=${remaining};t=${toSeconds(resetAfterMs)}`;
}

/** A string of a structured field, which binds the two headers together. */
function nameOf({ events, perMs }: RateLimit): string {
  return `"${events}-per-${toDurationText(perMs)}"`;
}

function toSeconds(ms: number): number {
  return Math.ceil(ms / 1000);
}
