import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { SluiceError } from "../domain/errors.ts";

/** Throws TOO_LARGE for a request that announces a larger body. */
export function checkAnnounced({ headers }: IncomingMessage | Http2ServerRequest, bytesMax: number): void {
  const announced = headers["content-length"];
  if (announced !== undefined && Number(announced) > bytesMax) throw tooLarge(bytesMax);
}

/**
 * Collects the body of a request. Hands it on once it is complete; it may be a part of a larger buffer. Or hands on why it
 * cannot be had: TOO_LARGE as soon as it is clear that it is, CALL_ENDED when the request is broken off. Only the first of
 * these calls counts; what comes of the request after a failure, or after what is returned was called, is dropped.
 *
 * By events, and without a copy: an iterator costs more than all else that is done for a body of 300 bytes.
 */
export function collectBody(
  request: IncomingMessage | Http2ServerRequest,
  bytesMax: number,
  complete: (body: Uint8Array) => void,
  fail: (thrown: unknown) => void,
): () => void {
  let body: Uint8Array = new Uint8Array(0);
  let size = 0;
  let isOver = false;
  const drop = () => {
    isOver = true;
    body = new Uint8Array(0);
  };
  const take = (chunk: Uint8Array) => {
    // Without a listener nothing would be read any more, and the request never end.
    if (isOver) return;
    if (size + chunk.length > bytesMax) {
      drop();
      fail(tooLarge(bytesMax));
    } else if (size === 0) {
      body = chunk;
      size = chunk.length;
    } else {
      // A list of chunks could take hundreds of bytes for each of theirs.
      body = growTo(body, size, size + chunk.length);
      body.set(chunk, size);
      size += chunk.length;
    }
  };
  request.on("data", take);
  request.once("end", () => {
    // Over HTTP/2, a request that is cancelled ends like any other.
    if (request.aborted) fail(callEnded());
    else complete(size === body.length ? body : body.subarray(0, size));
  });
  request.once("error", fail);
  // To make an error each time costs 5 µs.
  request.once("close", () => {
    if (!request.readableEnded) fail(callEnded());
  });
  return drop;
}

function callEnded(): SluiceError {
  return new SluiceError("CALL_ENDED", "the request was cancelled, or broken off");
}

/** The same bytes with room for more; always another array than the chunk that came first, which fills its own. */
function growTo(bytes: Uint8Array, filled: number, needed: number): Uint8Array {
  if (needed <= bytes.length) return bytes;
  const larger = new Uint8Array(Math.max(needed, 2 * bytes.length));
  larger.set(bytes.subarray(0, filled));
  return larger;
}

function tooLarge(bytesMax: number): SluiceError {
  return new SluiceError("TOO_LARGE", `the message is larger than ${bytesMax} bytes`);
}
