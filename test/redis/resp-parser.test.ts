import fc from "fast-check";
import { ReplyError } from "ioredis";
import { describe, expect, it } from "vitest";
import { createRespParser, type RespReply } from "../../src/redis/resp-parser.ts";

const scalars: fc.Arbitrary<RespReply> = fc.oneof(
  fc.uint8Array({ maxLength: 30 }).map((bytes) => Buffer.from(bytes)),
  fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  fc.constant(null),
  fc.stringMatching(/^[A-Z]{1,8} [a-z ]{0,20}$/).map((text) => new ReplyError(text) as Error),
);
const replies: fc.Arbitrary<RespReply> = fc.oneof(
  scalars,
  fc.array(fc.oneof(scalars, fc.array(fc.oneof(scalars, fc.array(scalars, { maxLength: 3 })), { maxLength: 4 })), {
    maxLength: 6,
  }),
);

function encode(reply: RespReply): Buffer {
  if (reply === null) return Buffer.from("$-1\r\n");
  if (typeof reply === "number") return Buffer.from(`:${reply}\r\n`);
  if (Buffer.isBuffer(reply)) return Buffer.concat([Buffer.from(`$${reply.length}\r\n`), reply, Buffer.from("\r\n")]);
  if (reply instanceof Error) return Buffer.from(`-${reply.message}\r\n`);
  if (Array.isArray(reply)) return Buffer.concat([Buffer.from(`*${reply.length}\r\n`), ...reply.map(encode)]);
  throw new Error("no reply");
}

function parse(pieces: readonly Buffer[]): RespReply[] {
  const parsed: RespReply[] = [];
  const parser = createRespParser((reply) => parsed.push(reply));
  for (const piece of pieces) parser.push(piece);
  return parsed;
}

describe("createRespParser", () => {
  it("gives every reply back, wherever the pieces are cut", () => {
    fc.assert(
      fc.property(fc.array(replies, { maxLength: 5 }), fc.array(fc.nat(40), { minLength: 1 }), (given, lengths) => {
        const bytes = Buffer.concat(given.map(encode));
        const pieces: Buffer[] = [];
        for (let at = 0, i = 0; at < bytes.length; i++) {
          const length = 1 + (lengths[i % lengths.length] ?? 0);
          pieces.push(bytes.subarray(at, at + length));
          at += length;
        }
        // Side by side in memory, and each in its own.
        expect(parse(pieces)).toEqual(given);
        expect(parse(pieces.map((piece) => Buffer.from(new Uint8Array(piece).buffer)))).toEqual(given);
      }),
    );
  });

  it("tells an array that is not there from an empty one", () => {
    expect(parse([Buffer.from("*-1\r\n*0\r\n+OK\r\n")])).toEqual([null, [], Buffer.from("OK")]);
  });

  it.each(["!5\r\nhello\r\n", "$x\r\n", ":1x\r\n", "hello\r\n"])("throws on what is no RESP2: %j", (text) => {
    expect(() => parse([Buffer.from(text)])).toThrow("malformed");
  });
});
