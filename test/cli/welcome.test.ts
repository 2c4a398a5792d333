import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { createWelcome } from "../../src/cli/welcome.ts";

const address = { httpAddress: "127.0.0.1:8080", grpcAddress: "127.0.0.1:50051" };

/** The words that a shell makes of a line, the program being replaced by one that prints them. */
function wordsOf(line: string): string[] {
  const printed = execFileSync("sh", ["-c", `printf '%s\\n' ${line}`], { encoding: "utf8" });
  return printed.trimEnd().split("\n");
}

describe("createWelcome", () => {
  it("has two lines that a shell reads as they are meant, whatever the key", () => {
    const key = `it's"$(a),;key\\!`;
    const welcome = createWelcome({ ...address, devKey: { key, isNew: false } });
    const lines = welcome.split("\n").map((line) => line.trim());

    expect(wordsOf(lines.find((line) => line.startsWith("curl ")) ?? "")).toEqual([
      "curl",
      "-H",
      `authorization: Bearer ${key}`,
      "-H",
      "content-type: application/json",
      "-d",
      '{"event":{"name":"hello","identities":{"user":"ada"},"value":42}}',
      "http://127.0.0.1:8080/sluice.v1.EventService/Track",
    ]);
    const bufWords = wordsOf(lines.find((line) => line.startsWith("npx buf ")) ?? "");
    expect(bufWords.slice(-5)).toEqual([
      "-H",
      `"authorization: Bearer it's""$(a),;key\\!"`,
      "-d",
      '{"pageSize":5}',
      "http://127.0.0.1:50051/sluice.v1.EventService/ListEvents",
    ]);
  });
});
