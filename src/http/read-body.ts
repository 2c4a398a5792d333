import { addAbortSignal } from "node:stream";
import { createGunzip } from "node:zlib";
import { SluiceError } from "../domain/errors.ts";
import type { BodyBudget, BodyLease } from "./body-budget.ts";
import { RequestRefused } from "./refusal.ts";
import type { HttpRequest, HttpResponse } from "./request-guard.ts";

export interface ReadBodyOptions {
  /** Of the body, before and after it is inflated. */
  readonly bytesMax: number;
  readonly budget: BodyBudget;
  /** Who takes it of the budget, of which nobody gets more than a share. */
  readonly owner: unknown;
  /** Whether the body may be gzip. */
  readonly isGzipTaken: boolean;
  /** Ends the reading, not what is done with the body. */
  readonly signal: AbortSignal;
}

/**
 * Reads the body of a request, inflates it if it is gzip, and hands it to `use`, whose result this is. The body, and
 * what `use` takes on the lease, counts on the budget until `use` has settled, so keep no part of it. Who waits to be
 * asked for it (`Expect: 100-continue`) is asked.
 *
 * Throws TOO_LARGE, before anything is read where the request says how much there is; OVERLOADED when the budget or the
 * owner's share of it is used up; MALFORMED for broken gzip; CALL_ENDED when the sender goes away; a RequestRefused of
 * 415 for any other encoding, and for gzip where it is not taken; and the signal's reason. The request stays open then,
 * with what it still has: destroying it would take the answer along.
 */
export function readBody<T>(
  request: HttpRequest,
  response: HttpResponse,
  options: ReadBodyOptions,
  use: (body: Buffer, lease: BodyLease) => Promise<T>,
): Promise<T> {
  const { bytesMax, budget, owner, isGzipTaken, signal } = options;
  return budget.run(owner, async (lease) => {
    signal.throwIfAborted();
    const isGzip = isGzipped(request, isGzipTaken);
    const announced = announcedBytes(request);
    if (announced !== undefined && announced > bytesMax) throw tooLarge(bytesMax);
    if (request.aborted || request.destroyed) throw cutOff();
    if (request.headers.expect?.toLowerCase() === "100-continue") response.writeContinue();
    const sent = await receive(request, createCollector(lease, bytesMax, announced), signal);
    if (!isGzip) return use(sent.bytes(), lease);
    const inflated = await inflate(sent.bytes(), lease, bytesMax, signal);
    sent.release();
    return use(inflated, lease);
  });
}

/** Resolves with the collector once it has the whole body. */
function receive(request: HttpRequest, collector: Collector, signal: AbortSignal): Promise<Collector> {
  return new Promise((resolve, reject) => {
    function stop(): void {
      request.off("data", onData);
      request.off("end", onEnd);
      request.off("error", onCut);
      request.off("close", onCut);
      signal.removeEventListener("abort", onAbort);
    }
    function fail(reason: unknown): void {
      stop();
      // Otherwise what still comes would be read and dropped without an end.
      request.pause();
      reject(reason);
    }
    function onData(chunk: Buffer): void {
      try {
        collector.add(chunk);
      } catch (thrown) {
        fail(thrown);
      }
    }
    function onEnd(): void {
      // Over HTTP/2, a request that is cancelled ends like any other. One short of its length never gets here.
      if (request.aborted) onCut();
      else {
        stop();
        resolve(collector);
      }
    }
    const onCut = () => fail(cutOff());
    const onAbort = () => fail(signal.reason);
    request.on("data", onData);
    request.on("end", onEnd);
    request.on("error", onCut);
    request.on("close", onCut);
    signal.addEventListener("abort", onAbort);
    request.resume();
  });
}

const inflatedPieceBytes = 64 * 1024;

/** What zlib takes for one stream: its state, a window of 32 KiB, and the piece that it fills. */
const inflaterBytes = 48 * 1024 + inflatedPieceBytes;

async function inflate(sent: Buffer, lease: BodyLease, bytesMax: number, signal: AbortSignal): Promise<Buffer> {
  lease.take(inflaterBytes);
  const collector = createCollector(lease, bytesMax, undefined);
  const inflater = addAbortSignal(signal, createGunzip({ chunkSize: inflatedPieceBytes }));
  inflater.end(sent);
  try {
    // A piece is inflated when the one before is taken, so that too large a body is given up in time.
    for await (const piece of inflater) collector.add(piece);
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof SluiceError) throw thrown;
    throw new SluiceError("MALFORMED", "the body is not valid gzip", { cause: thrown });
  }
  lease.release(inflaterBytes);
  return collector.bytes();
}

/** Bytes that come in pieces of any size, in one buffer: a list of pieces would cost 100 bytes for each of one byte. */
interface Collector {
  /** Throws TOO_LARGE or OVERLOADED. */
  add(piece: Buffer): void;
  bytes(): Buffer;
  release(): void;
}

/** Of a buffer, unless less is expected: a byte, after which nothing comes, must not hold much. */
const firstBytes = 2048;

function createCollector(lease: BodyLease, bytesMax: number, announced: number | undefined): Collector {
  const expected = announced ?? bytesMax;
  let buffer: Buffer = Buffer.alloc(0);
  let filled = 0;

  function growTo(size: number): void {
    const larger = Math.max(size, Math.min(Math.max(buffer.length * 2, firstBytes), expected));
    lease.take(larger);
    const grown = Buffer.allocUnsafeSlow(larger);
    buffer.copy(grown, 0, 0, filled);
    lease.release(buffer.length);
    buffer = grown;
  }

  return {
    add(piece) {
      const size = filled + piece.length;
      if (size > bytesMax) throw tooLarge(bytesMax);
      // Mostly it is all there is. A small part of something large would keep all of that in memory.
      if (filled === 0 && piece.length * 2 >= piece.buffer.byteLength) {
        lease.take(size);
        buffer = piece;
      } else {
        if (size > buffer.length) growTo(size);
        buffer.set(piece, filled);
      }
      filled = size;
    },
    bytes: () => (filled === buffer.length ? buffer : buffer.subarray(0, filled)),
    release() {
      lease.release(buffer.length);
      buffer = Buffer.alloc(0);
      filled = 0;
    },
  };
}

/** Throws a RequestRefused for an encoding that is not taken. */
function isGzipped({ headers }: HttpRequest, isGzipTaken: boolean): boolean {
  const encoding = headers["content-encoding"]?.trim().toLowerCase() ?? "";
  if (encoding === "" || encoding === "identity") return false;
  if (isGzipTaken && (encoding === "gzip" || encoding === "x-gzip")) return true;
  const message = isGzipTaken
    ? "the content-encoding is not supported; gzip is"
    : "the body must not have a content-encoding here";
  throw new RequestRefused(415, "UNSUPPORTED_MEDIA_TYPE", message);
}

function announcedBytes({ headers }: HttpRequest): number | undefined {
  const length = headers["content-length"];
  return length !== undefined && /^\d+$/.test(length) ? Number(length) : undefined;
}

function tooLarge(bytesMax: number): SluiceError {
  return new SluiceError("TOO_LARGE", `the body is larger than ${bytesMax} bytes`);
}

function cutOff(): SluiceError {
  return new SluiceError("CALL_ENDED", "the request was cut off");
}
