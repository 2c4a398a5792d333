import { closeSync, fstatSync, openSync, readSync, renameSync } from "node:fs";
import { errorCode } from "../../files/error-code.ts";

/** Begins a new log, and keeps the previous one as `<path>.1`. */
export function rotateLogFile(path: string): void {
  try {
    renameSync(path, `${path}.1`);
  } catch (error) {
    if (errorCode(error) !== "ENOENT") throw error;
  }
}

const tailBytes = 4096;
/** Such as `4711:M 21 Nov 2026 00:03:39.912 # `. */
const linePrefix = /^\d+:[A-Z] \d+ \w+ \d+ [\d:.]+ \S /;

/**
 * What a Redis last wrote to its log, in one line: its last message, which may be several lines where it complains about
 * its configuration. Empty when there is no log.
 */
export function readLastMessage(path: string): string {
  const lines = readTail(path)
    .split("\n")
    .filter((line) => line.trim() !== "");
  const begin = lines.findLastIndex((line) => linePrefix.test(line));
  const message = begin === lines.length - 1 ? lines.slice(begin) : lines.slice(begin + 1);
  return message
    .slice(-4)
    .map((line) => line.replace(linePrefix, "").trim())
    .join(" ");
}

function readTail(path: string): string {
  try {
    const file = openSync(path, "r");
    try {
      const { size } = fstatSync(file);
      const tail = Buffer.alloc(Math.min(size, tailBytes));
      return tail.toString("utf8", 0, readSync(file, tail, 0, tail.length, size - tail.length));
    } finally {
      closeSync(file);
    }
  } catch {
    return "";
  }
}
