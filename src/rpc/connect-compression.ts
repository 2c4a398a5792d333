import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { Code, ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { compressionGzip } from "@connectrpc/connect-node";
import { toUnread } from "./connect-refusal.ts";
import { checkEncodedEventCount } from "./event-count.ts";

const compress = promisify(gzip);

/**
 * gzip at its fastest level. Any caller may ask for compression, and the default levels, brotli's above all, would let
 * a few of them keep the whole thread pool busy. Decompression stops at the size limit of a message.
 */
export const fastGzip: Compression = {
  name: "gzip",
  compress: async (bytes) => new Uint8Array(await compress(bytes, { level: 1 })),
  decompress: compressionGzip.decompress,
};

/** The same for messages of events in protobuf: one that holds too many ends as TOO_LARGE before it is decoded. */
export const eventsGzip: Compression = {
  ...fastGzip,
  async decompress(bytes, bytesMax) {
    const message = await fastGzip.decompress(bytes, bytesMax);
    toUnread(() => checkEncodedEventCount(message));
    return message;
  },
};

/**
 * Refuses the name of a compression, unless it is one that every method takes; absent is none. Connect's own refusal quotes
 * it. `prefix`: what stands before `encoding` in the header of the caller's protocol.
 */
export function refuseCompression(name: string | null | undefined, prefix: string): ConnectError | undefined {
  if (name === null || name === undefined || name === "identity" || name === fastGzip.name) return undefined;
  const accepted = { [`${prefix.replace("content-", "")}accept-encoding`]: fastGzip.name };
  return new ConnectError("the compression is not supported; gzip is", Code.Unimplemented, accepted);
}
