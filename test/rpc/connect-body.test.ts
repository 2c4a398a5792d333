import { Readable } from "node:stream";
import { describe, expect, it } from "vitest";
import { limitTime, readPieces } from "../../src/rpc/connect-body.ts";
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

describe("limitTime", () => {
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
