import { readFileSync } from "node:fs";
import { codeToHttpStatus } from "@connectrpc/connect/protocol-connect";
import { describe, expect, it } from "vitest";
import { statusOf } from "../../src/http/refusal.ts";
import { codeNameOf, errorReasons, rpcCodes } from "../../src/rpc/rpc-error.ts";
import { errorCases } from "./error-cases.ts";

interface Row {
  readonly reason: string;
  readonly code: string;
  readonly connectStatus: string;
  readonly httpStatus: string;
  readonly details: string;
  readonly isStored: string;
  readonly advice: string;
}

const text = readFileSync(new URL("../../docs/errors.md", import.meta.url), "utf8");

/** The rows of the first table. */
const rows: readonly Row[] = text
  .split("\n")
  .filter((line) => line.startsWith("| `"))
  .map((line) => line.split("|").map((cell) => cell.trim()))
  .filter((cells) => cells.length === "|reason|code|Connect|HTTP|details|stored|advice|".split("|").length)
  .map(([, reason = "", code = "", connectStatus = "", httpStatus = "", details = "", isStored = "", advice = ""]) => {
    return { reason: reason.replaceAll("`", ""), code, connectStatus, httpStatus, details, isStored, advice };
  });

describe("docs/errors.md", () => {
  it("has one row for each reason, and none for another", () => {
    expect(rows.map(({ reason }) => reason)).toEqual(errorReasons);
  });

  it.each(errorCases)("says of $reason what the server does", ({ reason, details }) => {
    const row = rows.find((one) => one.reason === reason);
    const name = codeNameOf(reason);

    expect(row).toMatchObject({ code: name, connectStatus: String(codeToHttpStatus(rpcCodes[name])) });
    expect(row?.httpStatus).toBe(String(statusOf(reason)));
    expect(row?.details.includes("BadRequest")).toBe(details.fields.length > 0);
    expect(row?.details.includes("RetryInfo")).toBe(details.retryDelayMs !== undefined);
    expect(row?.details.includes("QuotaFailure")).toBe(details.quotas.length > 0);
    expect(row?.details.includes("oldest_cursor")).toBe(details.oldestCursor !== undefined);
    expect(row?.isStored).not.toBe("");
    expect(row?.advice).toMatch(/\.$/);
  });
});
