import { createHmac, type KeyObject, timingSafeEqual } from "node:crypto";
import type { Position } from "./cursor.ts";
import { cursorLength, parseCursor, toCursor } from "./cursor.ts";
import { SluiceError } from "./errors.ts";

/** Makes page tokens, and opens only those that it could have made. */
export interface PageTokens {
  /** A token for the page after a position, good for the same scope only. */
  seal(scope: string, after: Position): string;
  /** The position to go on from. Throws PAGE_TOKEN_INVALID. */
  open(scope: string, token: string): Position;
}

const macBytes = 16;
const tokenLength = cursorLength + Math.ceil((macBytes * 4) / 3);

/**
 * Page tokens are a cursor and a MAC of it and of its scope (project, filter, order), so that a token can neither be made
 * up nor be carried to another query. The secret is asked for each time, since it belongs to the data set.
 */
export function createPageTokens(readSecret: () => KeyObject | Uint8Array): PageTokens {
  const mac = (scope: string, cursor: string) =>
    createHmac("sha256", readSecret()).update(`${cursor}\n${scope}`).digest().toString("base64url", 0, macBytes);

  return {
    seal(scope, after) {
      const cursor = toCursor(after);
      return cursor + mac(scope, cursor);
    },
    open(scope, token) {
      const cursor = token.slice(0, cursorLength);
      const position = token.length === tokenLength ? parseCursor(cursor) : undefined;
      // As text: decoded, one MAC would have several spellings.
      const given = Buffer.from(token.slice(cursorLength));
      const expected = Buffer.from(mac(scope, cursor));
      if (position === undefined || given.length !== expected.length || !timingSafeEqual(given, expected)) {
        const message = "is not a page token of this project, filter and order";
        throw new SluiceError("PAGE_TOKEN_INVALID", `page_token ${message}`, {
          violations: [{ field: "page_token", message }],
        });
      }
      return position;
    },
  };
}
