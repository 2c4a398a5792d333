import type { Readable } from "node:stream";

/** Bytes handed on at once while a message is incomplete. */
const pieceBytes = 64 * 1024;

/** Length of the head of an envelope: a byte of flags, four of length. */
const headBytes = 5;

/** In the flags of an envelope. */
const compressedFlag = 1;

/**
 * The body of a request in few pieces, however small those are that it arrives in: a piece completes a message, or is
 * at least 64 KiB, or the rest. Connect's decoder adds up all pieces of a message at each new one, so that a message of
 * 64 KiB sent byte by byte would stop the server for seconds; and where a piece holds several messages, it drops those
 * before one that it refuses. The head of a message is handed on at once: it may say that the rest is too much.
 *
 * Unlike with a plain `for await`, giving up on it leaves the request open: destroying it would take the answer along.
 */
export async function* readPieces(
  request: Readable & { readonly aborted?: boolean },
  isEnveloped: boolean,
): AsyncGenerator<Uint8Array> {
  const chunks: AsyncIterable<Uint8Array> = request.iterator({ destroyOnReturn: false });
  const split = isEnveloped ? createEnvelopeSplitter() : splitNothing;
  let piece = Buffer.alloc(0);
  let filled = 0;
  for await (const chunk of chunks) {
    for (const { bytes, isDue } of split(chunk)) {
      if (isDue && filled === 0) {
        yield bytes;
        continue;
      }
      piece = growTo(piece, filled, filled + bytes.length);
      piece.set(bytes, filled);
      filled += bytes.length;
      if (!isDue && filled < pieceBytes) continue;
      yield piece.subarray(0, filled);
      piece = Buffer.alloc(0);
      filled = 0;
    }
  }
  // Over HTTP/2, a request that is cancelled ends like any other.
  if (request.aborted === true) throw new Error("the request was cancelled");
  if (filled > 0) yield piece.subarray(0, filled);
}

/** A part of a chunk, and whether to hand it on at once. */
interface Part {
  readonly bytes: Uint8Array;
  readonly isDue: boolean;
}

function splitNothing(chunk: Uint8Array): Part[] {
  return [{ bytes: chunk, isDue: chunk.length >= pieceBytes }];
}

/** Splits chunks, given one after the other, where envelopes end. */
function createEnvelopeSplitter(): (chunk: Uint8Array) => Generator<Part> {
  const head = Buffer.alloc(headBytes);
  let headFilled = 0;
  let missing = 0;
  return function* split(chunk) {
    let start = 0;
    let isHeadNew = false;
    for (let offset = 0; offset < chunk.length; ) {
      if (headFilled < headBytes) {
        const bytes = chunk.subarray(offset, offset + headBytes - headFilled);
        head.set(bytes, headFilled);
        headFilled += bytes.length;
        offset += bytes.length;
        if (headFilled < headBytes) break;
        missing = head.readUInt32BE(1);
        isHeadNew = true;
      }
      const skipped = Math.min(missing, chunk.length - offset);
      missing -= skipped;
      offset += skipped;
      if (missing > 0) break;
      yield { bytes: chunk.subarray(start, offset), isDue: true };
      start = offset;
      headFilled = 0;
      isHeadNew = false;
    }
    if (start < chunk.length) yield { bytes: chunk.subarray(start), isDue: isHeadNew };
  };
}

/** The pieces that `readPieces` makes; but each message is checked before its last piece is handed on, unless compressed. */
export async function* checkMessages(
  pieces: AsyncIterable<Uint8Array>,
  isEnveloped: boolean,
  check: (message: Uint8Array) => void,
): AsyncGenerator<Uint8Array> {
  let parts: Uint8Array[] = [];
  let missing = Number.POSITIVE_INFINITY;
  for await (const piece of pieces) {
    // The first piece of a message has all of its head, or is the rest of a request cut short.
    if (isEnveloped && parts.length === 0 && piece.length >= headBytes) {
      missing = headBytes + Buffer.from(piece.buffer, piece.byteOffset, headBytes).readUInt32BE(1);
    }
    parts.push(piece);
    missing -= piece.length;
    if (missing === 0) {
      const message = Buffer.concat(parts);
      parts = [];
      if ((message.readUInt8(0) & compressedFlag) === 0) check(message.subarray(headBytes));
    }
    yield piece;
  }
  if (!isEnveloped) check(Buffer.concat(parts));
}

function growTo(buffer: Buffer<ArrayBuffer>, filled: number, size: number): Buffer<ArrayBuffer> {
  if (size <= buffer.length) return buffer;
  const larger = Buffer.allocUnsafe(Math.max(size, pieceBytes));
  buffer.copy(larger, 0, 0, filled);
  return larger;
}

/**
 * The same items, but all of them within a time; a wait that lasts beyond it ends with what `expire` gives. Neither a
 * deadline nor an aborted context ends Connect's wait for the rest of a message.
 */
export function limitTime<T>(source: AsyncIterable<T>, timeoutMs: number, expire: () => Error): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]() {
      const iterator = source[Symbol.asyncIterator]();
      const { promise: expired, resolve } = Promise.withResolvers<undefined>();
      const timer = setTimeout(() => resolve(undefined), timeoutMs);
      return {
        async next() {
          const result = await Promise.race([iterator.next(), expired]);
          if (result === undefined) throw expire();
          if (result.done === true) clearTimeout(timer);
          return result;
        },
        async return() {
          clearTimeout(timer);
          // A generator that waits for its source would not answer before that does.
          void iterator.return?.().then(undefined, () => {});
          return { done: true, value: undefined };
        },
      };
    },
  };
}
