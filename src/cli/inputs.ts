import { createReadStream, statSync } from "node:fs";
import { pipeline } from "node:stream";
import { createGunzip } from "node:zlib";
import { StartError } from "../domain/start-error.ts";

/** Something to read events from, once or several times. */
export interface Input {
  /** The file's path as it was given, or `stdin`. */
  readonly name: string;
  /** As it is stored, compressed or not; undefined when that is not known beforehand. */
  readonly sizeBytes: number | undefined;
  /** Its content, decompressed where it begins as gzip does. `onRead` is told of bytes as they are stored. */
  read(onRead: (byteCount: number) => void): AsyncIterable<Buffer>;
}

/** The inputs for paths, `-` being stdin. Throws StartError when one of them cannot be read, before any is. */
export function openInputs(paths: readonly string[], stdin: AsyncIterable<Uint8Array>): Input[] {
  if (paths.filter((path) => path === "-").length > 1) throw new StartError("- (stdin) can be read only once");
  return paths.map((path) => (path === "-" ? toInput("stdin", undefined, () => stdin) : openFile(path)));
}

function openFile(path: string): Input {
  let found: ReturnType<typeof statSync>;
  try {
    found = statSync(path);
  } catch (error) {
    throw new StartError(`${path} cannot be read (${error instanceof Error ? error.message : error})`);
  }
  if (found.isDirectory()) throw new StartError(`${path} is a folder, not a file of events`);
  const open = () => createReadStream(path, { highWaterMark: 128 << 10 });
  return toInput(path, found.isFile() ? found.size : undefined, open);
}

function toInput(name: string, sizeBytes: number | undefined, open: () => AsyncIterable<Uint8Array>): Input {
  return { name, sizeBytes, read: (onRead) => inflateIfGzip(count(open(), onRead)) };
}

async function* count(source: AsyncIterable<Uint8Array>, onRead: (byteCount: number) => void): AsyncGenerator<Buffer> {
  for await (const chunk of source) {
    onRead(chunk.length);
    yield Buffer.from(chunk.buffer, chunk.byteOffset, chunk.length);
  }
}

async function* inflateIfGzip(source: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  let head: Buffer = Buffer.alloc(0);
  while (head.length < 2) {
    const next = await source.next();
    if (next.done === true) break;
    head = Buffer.concat([head, next.value]);
  }
  const whole = prepend(head, source);
  const isGzip = head[0] === 0x1f && head[1] === 0x8b;
  // An error of either stream ends the reading of the last one with it; the callback is only there to be given.
  yield* isGzip ? pipeline(whole, createGunzip({ chunkSize: 128 << 10 }), () => undefined) : whole;
}

async function* prepend(head: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* rest;
}
