import type { EventLine } from "./event-line.ts";
import { parseEventLine } from "./event-line.ts";
import type { Input } from "./inputs.ts";
import type { OutgoingEvent } from "./outgoing-event.ts";
import type { Line } from "./split-lines.ts";
import { createLineSplitter, lineBytesMax } from "./split-lines.ts";

/** A line that holds no event, and why. */
export interface LineFault {
  readonly file: string;
  readonly line: number;
  readonly reason: string;
}

export interface ReadMessagesOptions {
  /** How many times to read each input. */
  readonly repeat: number;
  /** Whether every event gets a new id, or only those without one. */
  readonly freshIds: boolean;
  onBytes(byteCount: number): void;
  onFault(fault: LineFault): void;
  /** An input cannot be read to its end; the others are read all the same. */
  onReadFault(file: string, error: unknown): void;
}

/** Bounds of a message; the server takes 500 events and 4 MiB. */
const messageEventsMax = 500;
const messageBytesMax = 1 << 20;

/**
 * Reads events, by the message to be sent. Reads no further than it is asked to. A message does not wait for input: it
 * holds what a chunk of the input had, so that a slow input is sent as it comes.
 */
export async function* readMessages(
  inputs: readonly Input[],
  options: ReadMessagesOptions,
): AsyncGenerator<OutgoingEvent[]> {
  for (let pass = 0; pass < options.repeat; pass++) {
    for (const input of inputs) {
      yield* readInput(input, options);
    }
  }
}

/** An input that fails half-way is read up to there; its last line, cut somewhere, is nobody's event. */
async function* readInput(input: Input, options: ReadMessagesOptions): AsyncGenerator<OutgoingEvent[]> {
  const splitter = createLineSplitter();
  const chunks = input.read(options.onBytes)[Symbol.asyncIterator]();
  for (;;) {
    const next = await chunks.next().catch((error: unknown) => {
      options.onReadFault(input.name, error);
      return undefined;
    });
    if (next === undefined) return;
    if (next.done === true) break;
    yield* toMessages(input.name, splitter.push(next.value), options);
  }
  yield* toMessages(input.name, splitter.end(), options);
}

function* toMessages(
  file: string,
  lines: readonly Line[],
  { freshIds, onFault }: ReadMessagesOptions,
): Generator<OutgoingEvent[]> {
  let message: OutgoingEvent[] = [];
  let messageBytes = 0;
  for (const { number, bytes } of lines) {
    const parsed = parseLine(number === 1 ? bytes && withoutMark(bytes) : bytes, freshIds);
    if (parsed?.kind === "invalid") onFault({ file, line: number, reason: parsed.reason });
    if (parsed?.kind !== "event") continue;
    if (message.length === messageEventsMax || messageBytes + parsed.bytes.length > messageBytesMax) {
      yield message;
      message = [];
      messageBytes = 0;
    }
    message.push({ bytes: parsed.bytes, file, line: number, hasOwnId: parsed.hasOwnId });
    messageBytes += parsed.bytes.length;
  }
  if (message.length > 0) yield message;
}

function parseLine(bytes: Buffer | undefined, freshIds: boolean): EventLine | undefined {
  if (bytes === undefined) return { kind: "invalid", reason: `is longer than ${lineBytesMax} bytes` };
  return isBlank(bytes) ? undefined : parseEventLine(bytes, freshIds);
}

function isBlank(bytes: Buffer): boolean {
  return bytes.every((byte) => byte === 0x20 || byte === 0x09 || byte === 0x0d);
}

/** Some editors begin a UTF-8 file with a byte order mark. */
function withoutMark(bytes: Buffer): Buffer {
  return bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? bytes.subarray(3) : bytes;
}
