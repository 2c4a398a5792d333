/** How long the calls of a method may take, beside what the caller asks for. */
export interface DeadlinePolicy {
  /** For a caller that asks for nothing. Absent: no deadline. */
  readonly defaultMs?: number;
  /** More than this is cut to this. Absent: as much as a timer can hold, 24 days. */
  readonly maxMs?: number;
}

/** Beyond it, a timer of Node's fires at once. */
const timerMaxMs = 2 ** 31 - 1;

const grpcUnitsMs: Readonly<Record<string, number>> = {
  H: 3_600_000,
  M: 60_000,
  S: 1000,
  m: 1,
  u: 0.001,
  n: 0.000_001,
};

/** What a caller over Connect asks for, as its header says it. */
export interface AskedDeadline {
  readonly timeoutMs: number;
  /** Whether the caller asked for any. */
  readonly isAsked: boolean;
  /** Whether it is not to be understood; then it is the default. */
  readonly isMalformed: boolean;
}

/** The deadline of a call over Connect, from the value of `connect-timeout-ms`. One that is too long is cut. */
export function readDeadline(
  asked: string | readonly string[] | undefined,
  { defaultMs, maxMs }: Required<DeadlinePolicy>,
): AskedDeadline {
  if (asked === undefined) return { timeoutMs: defaultMs, isAsked: false, isMalformed: false };
  const askedMs = parseTimeout(asked.toString(), false);
  const timeoutMs = Math.min(askedMs ?? defaultMs, maxMs);
  return { timeoutMs, isAsked: true, isMalformed: askedMs === undefined };
}

/**
 * Sets a call's deadline in its headers, where Connect reads it, and returns it in milliseconds. A caller that asks for
 * too much gets what it can have; Connect's own limit would refuse its call. A malformed deadline is left for Connect.
 */
export function setDeadline(header: Headers, isGrpc: boolean, policy: DeadlinePolicy): number | undefined {
  const name = isGrpc ? "grpc-timeout" : "connect-timeout-ms";
  const maxMs = policy.maxMs ?? timerMaxMs;
  const asked = header.get(name);
  const askedMs = asked === null ? policy.defaultMs : parseTimeout(asked, isGrpc);
  if (askedMs === undefined) return policy.defaultMs;
  const timeoutMs = Math.min(askedMs, maxMs);
  if (asked === null || askedMs > maxMs) header.set(name, isGrpc ? toGrpcTimeout(timeoutMs) : String(timeoutMs));
  return timeoutMs;
}

/** A deadline as gRPC writes it, in milliseconds that a timer can hold; undefined when it is malformed. */
export function parseGrpcTimeout(text: string): number | undefined {
  const timeoutMs = parseTimeout(text, true);
  return timeoutMs === undefined ? undefined : Math.min(timeoutMs, timerMaxMs);
}

function parseTimeout(text: string, isGrpc: boolean): number | undefined {
  if (!isGrpc) return /^\d{1,10}$/.test(text) ? Number(text) : undefined;
  const [, amount, unit = ""] = /^(\d{1,8})([HMSmun])$/.exec(text) ?? [];
  const unitMs = grpcUnitsMs[unit];
  return amount === undefined || unitMs === undefined ? undefined : Number(amount) * unitMs;
}

/** gRPC allows eight digits. */
function toGrpcTimeout(timeoutMs: number): string {
  return timeoutMs < 1e8 ? `${timeoutMs}m` : `${Math.floor(timeoutMs / 1000)}S`;
}
