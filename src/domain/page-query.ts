import { SluiceError } from "./errors.ts";
import { callLimits } from "./event.ts";
import type { Caller } from "./project.ts";
import { fault } from "./validate-event.ts";

/**
 * Who reads, as far as that decides what is seen: a key that is bound to environments sees nothing else. With a signal,
 * for how long.
 */
export type Reader = Pick<Caller, "project" | "environments"> & Partial<Pick<Caller, "signal">>;

/** How many items a page holds at most, by the size that a client asked for. Throws FILTER_INVALID. */
export function toPageSize(asked: number): number {
  if (asked < 0) throw invalidFilter("page_size", "is negative");
  return Math.min(asked || callLimits.pageSizeDefault, callLimits.pageSizeMax);
}

/** What a page token is bound to: a method, a reader's view, and the rest of the query. */
export function pageScope(method: string, { project, environments }: Reader, ...query: readonly unknown[]): string {
  return JSON.stringify([method, project.name, toSet(environments), ...query]);
}

/** The same list for the same items, whatever their order, and however often they are there. */
export function toSet<T extends string | number>(items: readonly T[]): T[] {
  return [...new Set(items)].sort();
}

/** The error for a field of a query that cannot be as it is. */
export function invalidFilter(field: string, message: string): SluiceError {
  const violation = fault(field, message);
  return new SluiceError("FILTER_INVALID", `${violation.field} ${message}`, { violations: [violation] });
}
