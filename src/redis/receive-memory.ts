/** Memory that a connection receives into. */
export interface ReceiveMemory {
  /** Where the next bytes are to be put: some free bytes, which nobody else holds. */
  next(): Uint8Array;
  /** Says how many bytes were put there, and gives them back. */
  take(count: number): Buffer;
}

/** What is made at a time: some pages of events. */
const blockBytes = 256 << 10;

/** The least that is offered: as much as Node reads at a time by itself. */
const freeBytesMin = 64 << 10;

/**
 * Memory in which what comes in pieces lies in one piece, as a rule: what a parser has left of the last is in front of the
 * next. Node would make a buffer of 64 KiB of each, and a reply would be read by so much at a time, and copied.
 */
export function createReceiveMemory(): ReceiveMemory {
  let block = Buffer.allocUnsafeSlow(blockBytes);
  let start = 0;
  return {
    next() {
      if (block.length - start < freeBytesMin) {
        // Whoever holds events of the last one keeps it.
        block = Buffer.allocUnsafeSlow(blockBytes);
        start = 0;
      }
      return block.subarray(start);
    },
    take(count) {
      const piece = block.subarray(start, start + count);
      start += count;
      return piece;
    },
  };
}
