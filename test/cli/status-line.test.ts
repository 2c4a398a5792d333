import { describe, expect, it } from "vitest";
import { createStatusLine } from "../../src/cli/status-line.ts";

function create(isTTY: boolean) {
  const written: string[] = [];
  const write = (text: string | Uint8Array) => written.push(`${text}`) > 0;
  return { status: createStatusLine({ isTTY, write }), written };
}

describe("createStatusLine", () => {
  it("shows one text in place of the other, and clears it once", () => {
    const { status, written } = create(true);

    status.clear();
    status.show("a");
    status.show("b");
    status.clear();
    status.clear();

    expect(written).toEqual(["\ra\u001b[K", "\rb\u001b[K", "\r\u001b[K"]);
  });

  it("writes nothing where there is no terminal", () => {
    const { status, written } = create(false);

    status.show("a");
    status.clear();

    expect(written).toEqual([]);
  });
});
