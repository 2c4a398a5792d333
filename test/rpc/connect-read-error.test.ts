import { Code, ConnectError } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { SluiceError } from "../../src/domain/errors.ts";
import { toReadError } from "../../src/rpc/connect-refusal.ts";

const read = (thrown: unknown, isCut = false) => toReadError(thrown, { messageBytesMax: 9, isCut: () => isCut });

describe("toReadError", () => {
  it("takes what it does not know for a fault of ours, unless the request was broken off", () => {
    const cause = new Error("secret");

    expect(read(cause)).toMatchObject({ reason: "INTERNAL", message: "internal error", cause });
    expect(read(cause, true)).toMatchObject({ reason: "CALL_ENDED", cause });
  });

  it("keeps an error of ours", () => {
    const error = new SluiceError("TOO_LARGE", "too many");

    expect(read(error)).toBe(error);
    expect(read(new ConnectError("too many", Code.ResourceExhausted, undefined, undefined, error))).toBe(error);
  });

  it.each([
    [Code.DeadlineExceeded, "DEADLINE_EXCEEDED"],
    [Code.Canceled, "CALL_ENDED"],
    [Code.Aborted, "CALL_ENDED"],
    [Code.ResourceExhausted, "TOO_LARGE"],
    [Code.InvalidArgument, "MALFORMED"],
    [Code.Internal, "MALFORMED"],
  ])("translates code %i to %s, and quotes nothing", (code, reason) => {
    const error = read(new ConnectError("secret", code));

    expect(error.reason).toBe(reason);
    expect(error.message).not.toContain("secret");
  });
});
