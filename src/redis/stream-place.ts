/** Where an entry is in its stream. */
export interface StreamPlace {
  readonly ms: number;
  readonly seq: number;
}

/** The largest seq that a cursor can tell. */
const seqMax = 2 ** 48 - 1;

/** Negative when `a` comes first. */
export function comparePlaces(a: StreamPlace, b: StreamPlace): number {
  return a.ms - b.ms || a.seq - b.seq;
}

/** The next place that could be. */
export function placeBehind({ ms, seq }: StreamPlace): StreamPlace {
  return seq < seqMax ? { ms, seq: seq + 1 } : { ms: ms + 1, seq: 0 };
}

/** The last place that could be before. */
export function placeBefore({ ms, seq }: StreamPlace): StreamPlace {
  return seq > 0 ? { ms, seq: seq - 1 } : { ms: ms - 1, seq: seqMax };
}

/** The stream id of a place. */
export function toStreamId({ ms, seq }: StreamPlace): string {
  return `${ms}-${seq}`;
}

const dash = 45;
const zero = 48;

/** The place of a stream id as Redis sends it, without making a text of it. */
export function readStreamId(id: Uint8Array): StreamPlace {
  let ms = 0;
  let at = 0;
  for (; at < id.length && id[at] !== dash; at++) ms = ms * 10 + (id[at] ?? zero) - zero;
  let seq = 0;
  for (at++; at < id.length; at++) seq = seq * 10 + (id[at] ?? zero) - zero;
  return { ms, seq };
}

/** The place of a stream id. */
export function parseStreamId(id: string): StreamPlace {
  const [ms, seq] = id.split("-");
  return { ms: Number(ms), seq: Number(seq) };
}
