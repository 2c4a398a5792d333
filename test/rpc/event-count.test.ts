import { describe, expect, it } from "vitest";
import { checkEncodedEventCount } from "../../src/rpc/event-count.ts";
import { encodeEvent } from "../support/events.ts";
import { field, join } from "../support/wire-fields.ts";

const events = (count: number) => join(...Array.from({ length: count }, () => field(1, encodeEvent({ name: "a" }))));

describe("checkEncodedEventCount", () => {
  it("takes 500 events, and whatever else there is", () => {
    const others = join(...Array.from({ length: 600 }, () => field(2, "x")));

    expect(() => checkEncodedEventCount(join(others, events(500), others))).not.toThrow();
  });

  it("refuses the 501st, and looks at nothing behind it", () => {
    const tooLarge = expect.objectContaining({ reason: "TOO_LARGE" });

    expect(() => checkEncodedEventCount(events(501))).toThrow(tooLarge);
    expect(() => checkEncodedEventCount(join(events(501), Uint8Array.of(0xff)))).toThrow(tooLarge);
  });

  it.each([[Uint8Array.of(0xff)], [Uint8Array.of(0x0a, 5)], [Uint8Array.of(0)], [Uint8Array.of(0x0b)]])(
    "leaves %s to the decoder",
    (bytes) => {
      expect(() => checkEncodedEventCount(bytes)).not.toThrow();
    },
  );
});
