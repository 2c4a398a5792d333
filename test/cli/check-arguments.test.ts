import { describe, expect, it } from "vitest";
import { checkArguments } from "../../src/cli/check-arguments.ts";
import { StartError } from "../../src/domain/start-error.ts";

describe("checkArguments", () => {
  it("lets text of any script pass", () => {
    expect(() => checkArguments([])).not.toThrow();
    expect(() => checkArguments(["list", "--name", "café 名前 😀", ""])).not.toThrow();
  });

  it("refuses what was not UTF-8, and shows it without a control character", () => {
    // What Node makes of bytes such as those of Latin-1.
    const text = Buffer.from([0x1b, 0x63, 0x61, 0x66, 0xe9]).toString("utf8");

    const check = () => checkArguments(["list", "--name", text]);

    expect(check).toThrow(StartError);
    expect(check).toThrow("an argument is not UTF-8: \\u001bcaf\ufffd");
  });
});
