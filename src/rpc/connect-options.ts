import type { ConnectRouterOptions } from "@connectrpc/connect";
import { fastGzip } from "./connect-compression.ts";
import { jsonOptions } from "./connect-json.ts";

/** The smallest answer that is compressed, in bytes. */
export const compressMinBytes = 4096;

/** gRPC clients refuse messages over 4 MiB; a page ends at 3. */
export const protoWriteMaxBytes = 4 << 20;

/** JSON writes some characters in six bytes, so a page can grow a lot. */
export const jsonWriteMaxBytes = 32 << 20;

/** How messages are read, where a method says nothing else. */
export const binaryOptions = { readUnknownFields: false };

/** The options of every method that Connect serves. */
export const commonOptions: ConnectRouterOptions = {
  acceptCompression: [fastGzip],
  compressMinBytes,
  readMaxBytes: 64 * 1024,
  binaryOptions,
  jsonOptions,
};
