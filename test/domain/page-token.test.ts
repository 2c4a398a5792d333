import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createPageTokens } from "../../src/domain/page-token.ts";

const position = { epoch: "abcdefghijkl", ms: 1_700_000_000_000, seq: 7 };
const scope = '["shop","newest-first",false,[]]';
const secret = Buffer.alloc(32, 1);
const tokens = createPageTokens(() => secret);
const token = tokens.seal(scope, position);

describe("createPageTokens", () => {
  it("opens what it sealed, and so does another server with the same secret", () => {
    expect(tokens.open(scope, token)).toEqual(position);
    expect(createPageTokens(() => Buffer.alloc(32, 1)).open(scope, token)).toEqual(position);
  });

  it("asks for the secret each time, since it belongs to the data set", () => {
    let current = secret;
    const changing = createPageTokens(() => current);
    current = Buffer.alloc(32, 2);

    expect(() => changing.open(scope, token)).toThrow("page_token");
    expect(changing.open(scope, changing.seal(scope, position))).toEqual(position);
  });

  it("gives a token that passes through a URL unchanged", () => {
    expect(encodeURIComponent(token)).toBe(token);
  });

  it.each([
    ["of another scope", '["shop","newest-first",true,[]]', token],
    ["of another secret", scope, createPageTokens(() => Buffer.alloc(32, 2)).seal(scope, position)],
    ["that is empty", scope, ""],
    ["that is a cursor alone", scope, token.slice(0, 32)],
    ["cut short", scope, token.slice(0, -1)],
    ["with something after it", scope, `${token}A`],
    ["of spaces", scope, " ".repeat(token.length)],
    ["of characters outside ASCII", scope, "é".repeat(token.length)],
    ["with a broken character at its end", scope, `${token.slice(0, -1)}\ud800`],
  ])("refuses a token %s", (_, ofScope, given) => {
    expect(() => tokens.open(ofScope, given)).toThrow(
      expect.objectContaining({
        reason: "PAGE_TOKEN_INVALID",
        violations: [{ field: "page_token", message: expect.any(String) }],
      }),
    );
  });

  it("refuses a token that was changed in any character", () => {
    const place = fc.nat(token.length - 1);
    const character = fc.constantFrom(..."ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_+/=");
    fc.assert(
      fc.property(place, character, (at, changed) => {
        fc.pre(token[at] !== changed);
        expect(() => tokens.open(scope, token.slice(0, at) + changed + token.slice(at + 1))).toThrow("page_token");
      }),
      { numRuns: 2000 },
    );
  });

  it("opens no text that it did not seal", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", maxLength: 80 }), (text) => {
        expect(() => tokens.open(scope, text)).toThrow("page_token");
      }),
    );
  });
});
