import { promisify } from "node:util";
import { gunzip, inflate } from "node:zlib";
import { SluiceError } from "../domain/errors.ts";
import { GrpcRefusal } from "./grpc-refusal.ts";

type Decompress = (bytes: Buffer, options: { maxOutputLength: number }) => Promise<Buffer>;

const decompressors: ReadonlyMap<string, Decompress> = new Map([
  ["gzip", promisify(gunzip)],
  ["deflate", promisify(inflate)],
]);

/**
 * A message as it was before it was compressed. Rejects with TOO_LARGE for one of more than so many bytes, with MALFORMED
 * for one that cannot be decompressed, and with a GrpcRefusal for an encoding that is not served.
 */
export async function decompressMessage(bytes: Buffer, encoding: string, bytesMax: number): Promise<Buffer> {
  if (encoding === "identity") return bytes;
  const decompress = decompressors.get(encoding);
  if (decompress === undefined) {
    throw new GrpcRefusal("UNIMPLEMENTED", `messages may not be compressed by ${encoding} here`);
  }
  try {
    return await decompress(bytes, { maxOutputLength: bytesMax });
  } catch (cause) {
    if (cause instanceof RangeError) throw messageTooLarge(bytesMax);
    throw new SluiceError("MALFORMED", "the message cannot be decompressed", { cause });
  }
}

export function messageTooLarge(bytesMax: number): SluiceError {
  return new SluiceError("TOO_LARGE", `the message is larger than ${bytesMax} bytes`);
}
