import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createLineSplitter, lineBytesMax } from "../../src/cli/split-lines.ts";

function split(...chunks: (string | Buffer)[]): [number, string | undefined][] {
  const splitter = createLineSplitter();
  const lines = [...chunks.flatMap((chunk) => splitter.push(Buffer.from(chunk))), ...splitter.end()];
  return lines.map(({ number, bytes }) => [number, bytes?.toString()]);
}

describe("createLineSplitter", () => {
  it("numbers lines, blank ones too, and takes both kinds of line end", () => {
    expect(split("a\r\n\nb")).toEqual([
      [1, "a"],
      [2, ""],
      [3, "b"],
    ]);
  });

  it("finds the same lines wherever the input is cut into chunks", () => {
    fc.assert(
      fc.property(fc.array(fc.stringMatching(/^[a\r\né]{0,8}$/)), (parts) => {
        const whole = Buffer.from(parts.join(""));
        const bytes = Array.from(whole, (byte) => Buffer.from([byte]));

        expect(split(...bytes)).toEqual(split(whole));
      }),
    );
  });

  it("leaves out a line that is too long, and nothing else", () => {
    const longest = "x".repeat(lineBytesMax);

    expect(split(`${longest}\n`, longest, "x\n", "y\n", longest, longest)).toEqual([
      [1, longest],
      [2, undefined],
      [3, "y"],
      [4, undefined],
    ]);
  });
});
