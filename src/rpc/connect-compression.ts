import { promisify } from "node:util";
import { gzip } from "node:zlib";
import type { Compression } from "@connectrpc/connect/protocol";
import { compressionGzip } from "@connectrpc/connect-node";

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
