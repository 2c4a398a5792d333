import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import { errorCode } from "../../files/error-code.ts";

/**
 * Cuts a transaction that was written only in part off the end of Redis' append-only file, and returns how many bytes
 * that were. To be done before Redis starts. A file with any other fault is left as it is: Redis refuses it.
 *
 * When the last command of the file is torn, Redis cuts off that command alone, and leaves the beginning of its transaction
 * there: https://github.com/valkey-io/valkey/pull/4342. The next start takes what was appended later for the rest of
 * it. So a chunk whose write was cut short would come back, long after its sender had it stored anew.
 */
export async function cutTornTransaction(dataDir: string): Promise<number> {
  const path = await findLastFile(join(dataDir, "appendonlydir"));
  if (path === undefined) return 0;
  const file = await open(path, "r+");
  try {
    const { size } = await file.stat();
    const wholeBytes = await findWholeBytes(file, size);
    if (wholeBytes === size) return 0;
    await file.truncate(wholeBytes);
    await file.sync();
    return size - wholeBytes;
  } finally {
    await file.close();
  }
}

/** The file that Redis appends to; undefined when it has not written any yet. */
async function findLastFile(folder: string): Promise<string | undefined> {
  try {
    const manifest = await readFile(join(folder, "appendonly.aof.manifest"), "utf8");
    const name = [...manifest.matchAll(/^file (\S+) seq \d+ type i/gm)].at(-1)?.[1];
    return name === undefined ? undefined : join(folder, name);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return undefined;
    throw error;
  }
}

interface ReadableFile {
  read(target: Buffer, offset: number, length: number, position: number): Promise<{ bytesRead: number }>;
}

/** Where the last whole transaction, or command outside of one, ends; the size when nothing is torn. */
async function findWholeBytes(file: ReadableFile, size: number): Promise<number> {
  let buffer = Buffer.allocUnsafe(4 << 20);
  let whole = 0;
  let isInside = false;
  for (let position = 0; position < size; ) {
    const { bytesRead } = await file.read(buffer, 0, buffer.length, position);
    const bytes = buffer.subarray(0, bytesRead);
    let at = 0;
    for (let end = endOfCommand(bytes, at); end !== "torn"; end = endOfCommand(bytes, at)) {
      if (end === "other fault") return size;
      if (isCommand(bytes, at, multi)) isInside = true;
      if (isCommand(bytes, at, exec)) isInside = false;
      at = end;
      if (!isInside) whole = position + at;
      if (at === bytes.length) break;
    }
    if (position + bytesRead >= size) return whole;
    if (at === 0) buffer = Buffer.allocUnsafe(2 * buffer.length);
    position += at;
  }
  return whole;
}

const star = "*".charCodeAt(0);
const dollar = "$".charCodeAt(0);
const carriageReturn = 0x0d;
const multi = Buffer.from("*1\r\n$5\r\nMULTI\r\n");
const exec = Buffer.from("*1\r\n$4\r\nEXEC\r\n");

/** By hand, as a file may hold a hundred million words. */
function endOfCommand(bytes: Buffer, start: number): number | "torn" | "other fault" {
  let at = start;
  let wordsLeft = 0;

  /** The number in a line such as `$12`; -1 when the bytes end in it, -2 when it is no such line. */
  function readCount(mark: number): number {
    if (at >= bytes.length) return -1;
    if (bytes[at] !== mark) return -2;
    let count = 0;
    for (at++; at < bytes.length; at++) {
      const byte = bytes[at] ?? 0;
      if (byte === carriageReturn) {
        at += 2;
        return count;
      }
      if (byte < 0x30 || byte > 0x39) return -2;
      count = count * 10 + byte - 0x30;
    }
    return -1;
  }

  wordsLeft = readCount(star);
  if (wordsLeft < 0) return wordsLeft === -1 ? "torn" : "other fault";
  while (wordsLeft-- > 0) {
    const length = readCount(dollar);
    if (length < 0) return length === -1 ? "torn" : "other fault";
    at += length + 2;
  }
  return at > bytes.length ? "torn" : at;
}

function isCommand(bytes: Buffer, at: number, command: Buffer): boolean {
  // Almost every command has more words than these.
  return bytes[at + 1] === command[1] && bytes.subarray(at, at + command.length).equals(command);
}
