import { createReadStream, statSync } from "node:fs";
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
  yield* isGzip ? inflate(whole) : whole;
}

/** Input that is inflated at a time: at the most a thousand times as much comes of it. */
const stepBytes = 16 << 10;

/**
 * Step by step, since a stream that fails drops what it has inflated: lines before a damaged place are good. Those of the
 * step with the damage are lost.
 */
async function* inflate(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  const gunzip = createGunzip({ chunkSize: 128 << 10 });
  const inflated: Buffer[] = [];
  const failed = new Promise<never>((_, reject) => gunzip.once("error", reject));
  failed.catch(() => undefined);
  const ended = new Promise<void>((resolve) => gunzip.once("end", resolve));
  gunzip.on("data", (chunk) => inflated.push(chunk));
  try {
    for await (const chunk of source) {
      for (let start = 0; start < chunk.length; start += stepBytes) {
        const step = chunk.subarray(start, start + stepBytes);
        await Promise.race([failed, new Promise((resolve) => gunzip.write(step, resolve))]);
        yield* inflated.splice(0);
      }
    }
    gunzip.end();
    await Promise.race([failed, ended]);
    yield* inflated;
  } catch (error) {
    yield* inflated;
    throw error;
  } finally {
    gunzip.destroy();
  }
}

async function* prepend(head: Buffer, rest: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  if (head.length > 0) yield head;
  yield* rest;
}
