import type { IncomingMessage } from "node:http";
import type { Http2ServerRequest } from "node:http2";
import { SluiceError } from "../domain/errors.ts";

/**
 * Collects the body of a request. Hands it on once it is complete; it may be a part of a larger buffer. Or hands on why it
 * cannot be had: TOO_LARGE as soon as it is clear that it is, another error when the request is broken off. Only the
 * first of these calls counts; what comes of the request after a failure is dropped.
 *
 * By events, and without a copy: an iterator costs more than all else that is done for a body of 300 bytes.
 */
export function collectBody(
  request: IncomingMessage | Http2ServerRequest,
  bytesMax: number,
  complete: (body: Uint8Array) => void,
  fail: (thrown: unknown) => void,
): void {
  const announced = request.headers["content-length"];
  if (announced !== undefined && Number(announced) > bytesMax) {
    fail(tooLarge(bytesMax));
    return;
  }
  const pieces: Uint8Array[] = [];
  let size = 0;
  const take = (chunk: Uint8Array) => {
    size += chunk.length;
    if (size <= bytesMax) {
      pieces.push(chunk);
      return;
    }
    request.off("data", take);
    fail(tooLarge(bytesMax));
  };
  request.on("data", take);
  request.once("end", () => {
    // Over HTTP/2, a request that is cancelled ends like any other.
    if (request.aborted) fail(new Error("the request was cancelled"));
    else complete(pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces, size));
  });
  request.once("error", fail);
  // To make an error each time costs 5 µs.
  request.once("close", () => {
    if (!request.readableEnded) fail(new Error("the request was broken off"));
  });
}

function tooLarge(bytesMax: number): SluiceError {
  return new SluiceError("TOO_LARGE", `the message is larger than ${bytesMax} bytes`);
}
