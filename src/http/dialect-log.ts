import type { CallLog } from "../call-log.ts";
import type { Grant } from "../domain/access.ts";
import type { Dialect } from "./dialect.ts";
import type { Refusal } from "./refusal.ts";

/** A request of a dialect that has ended. */
export interface ServedRequest {
  /** Name of the endpoint, or `unknown`. */
  readonly method: string;
  readonly durationMs: number;
  /** Of a request that has shown a key that opens a project. */
  readonly grant?: Grant | undefined;
  /** Of a request that was not served. */
  readonly refusal?: Refusal | undefined;
}

/** Writes down how a request of a dialect ended. */
export function recordRequest(callLog: CallLog, { entrance }: Dialect, request: ServedRequest): void {
  const { method, durationMs, grant, refusal } = request;
  callLog.record({
    method,
    entrance,
    code: refusal === undefined ? "OK" : String(refusal.status),
    durationMs,
    ...(grant && { project: grant.project.name, key: grant.keyName }),
    ...(refusal && { reason: refusal.reason }),
    ...(refusal?.cause === undefined ? {} : { cause: refusal.cause }),
  });
}
