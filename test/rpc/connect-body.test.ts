import { Readable } from "node:stream";
import { describe, expect, it, vi } from "vitest";
import { checkMessages, limitTime, readPieces } from "../../src/rpc/connect-body.ts";
import { envelope } from "../support/raw-call.ts";

async function collect(chunks: Iterable<Uint8Array>, isEnveloped: boolean): Promise<Uint8Array[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of readPieces(Readable.from(chunks, { objectMode: true }), isEnveloped)) {
    pieces.push(Uint8Array.from(piece));
  }
  return pieces;
}

function* inChunksOf(bytes: Uint8Array, size: number): Generator<Buffer> {
  for (let i = 0; i < bytes.length; i += size) yield Buffer.from(bytes.subarray(i, i + size));
}

const message = Uint8Array.from({ length: 200_000 }, (_, i) => i * 7);

describe("readPieces", () => {
  it.each([1, 3, 1000, 70_000, 1_000_000])("keeps the bytes of messages in chunks of %i", async (size) => {
    const body = Buffer.concat([envelope(message), envelope(Buffer.alloc(0)), envelope(message), Buffer.from([1, 2])]);

    const pieces = await collect(inChunksOf(body, size), true);

    expect(Buffer.concat(pieces).equals(body)).toBe(true);
  });

  it("makes few pieces of many chunks", async () => {
    // The head, and 200,000 bytes.
    expect(await collect(inChunksOf(envelope(message), 1), true)).toHaveLength(1 + 4);
    expect(await collect(inChunksOf(message, 1), false)).toHaveLength(4);
  });

  it("hands a head on at once, and a message when it is complete", async () => {
    const chunks = [[0, 0, 0, 0, 3], [7], [8], [9, 0], [0, 0]].map((bytes) => Buffer.from(bytes));

    expect(await collect(chunks, true)).toEqual(
      [
        [0, 0, 0, 0, 3],
        [7, 8, 9],
        [0, 0, 0],
      ].map((bytes) => new Uint8Array(bytes)),
    );
  });

  it("puts each message of a chunk into a piece of its own", async () => {
    const one = envelope(Buffer.from([1, 2]));

    expect(await collect([Buffer.concat([one, one, one])], true)).toEqual(
      [one, one, one].map((it) => new Uint8Array(it)),
    );
  });

  it("leaves the request open when nobody reads on", async () => {
    const request = new Readable({ read() {} });
    request.push(envelope(message));

    for await (const _ of readPieces(request, true)) break;

    expect(request.destroyed).toBe(false);
  });
});

describe("checkMessages", () => {
  async function checked(body: Uint8Array, size: number, isEnveloped: boolean) {
    const messages: Uint8Array[] = [];
    const pieces: Uint8Array[] = [];
    const source = readPieces(Readable.from(inChunksOf(body, size), { objectMode: true }), isEnveloped);
    for await (const piece of checkMessages(source, isEnveloped, (it) => messages.push(it))) pieces.push(piece);
    return { messages, bytes: Buffer.concat(pieces) };
  }

  it.each([1, 3, 1000, 70_000, 1_000_000])("shows each message whole, in chunks of %i", async (size) => {
    const body = Buffer.concat([envelope(message), envelope(Buffer.alloc(0)), envelope(message), Buffer.from([0, 2])]);
    const { messages, bytes } = await checked(body, size, true);

    expect(messages.map((it) => Uint8Array.from(it))).toEqual([message, new Uint8Array(), message]);
    expect(bytes.equals(body)).toBe(true);
    expect((await checked(message, size, false)).messages.map((it) => Uint8Array.from(it))).toEqual([message]);
  });

  it("leaves out what is compressed", async () => {
    expect((await checked(envelope(message, 1), 1000, true)).messages).toEqual([]);
  });

  it("hands on no last piece of a message that does not pass", async () => {
    const source = readPieces(Readable.from([envelope(message)], { objectMode: true }), true);
    const fail = () => {
      throw new Error("refused");
    };

    await expect(checkMessages(source, true, fail).next()).rejects.toThrow("refused");
  });
});

describe("limitTime", () => {
  it("leaves no timer behind when nobody reads on", async () => {
    vi.useFakeTimers();
    async function* source() {
      yield 1;
    }

    for await (const _ of limitTime(source(), 60_000, () => new Error("expired"))) break;

    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });

  it("ends a wait that lasts too long", async () => {
    const silent = new Readable({ read() {} });

    const read = limitTime(readPieces(silent, false), 1, () => new Error("expired"))
      [Symbol.asyncIterator]()
      .next();

    await expect(read).rejects.toThrow("expired");
  });

  it("changes nothing about what comes in time", async () => {
    const items: number[] = [];
    async function* source() {
      yield 1;
      yield 2;
    }

    for await (const item of limitTime(source(), 60_000, () => new Error("expired"))) items.push(item);

    expect(items).toEqual([1, 2]);
  });
});
