import type { JsonValue } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { RefusedEvent } from "../../src/domain/event.ts";
import { refuseEvent } from "../../src/http/offer-one.ts";
import { collectGarbage } from "../support/collect-garbage.ts";

/** An event refused as it comes, and whether what was sent is still in memory. */
function refuse(text: string): { refused: RefusedEvent; sent: WeakRef<object> } {
  const sent: JsonValue = JSON.parse(text);
  if (typeof sent !== "object" || sent === null) throw new Error("what has no parts is not looked for");
  return { refused: refuseEvent("name", "is required", sent), sent: new WeakRef(sent) };
}

describe("refuseEvent", () => {
  it("says what is wrong, and shows what was sent", () => {
    expect(refuseEvent("name", "is required", { a: 1 })).toEqual({
      refusal: { reason: "EVENT_INVALID", violation: { field: "name", message: "is required" } },
      sent: '{"a":1}',
    });
  });

  it.each([
    ["the environment that the event names", "x".repeat(64), "x".repeat(64)],
    ["none that is too long to be one", "x".repeat(65), undefined],
    ["none where it names none", "", undefined],
  ])("has %s", (_, named, environment) => {
    expect(refuseEvent("name", "is required", null, named).environment).toBe(environment);
  });

  it.each([
    ["a small event", '{"name":""}'],
    ["a large one", JSON.stringify({ name: "x".repeat(1 << 20) })],
  ])("holds on to nothing of %s", async (_, text) => {
    const { refused, sent } = refuse(text);
    await collectGarbage();

    expect(refused.sent?.length).toBeLessThanOrEqual(2000);
    expect(sent.deref()).toBeUndefined();
  });

  it("holds on to no text that it shows the beginning of", async () => {
    await collectGarbage();
    const before = process.memoryUsage().heapUsed;
    const refused = Array.from({ length: 30 }, (_, i) => [
      refuseEvent("", "is not an object", `${i}${"x".repeat(1 << 20)}`.toUpperCase()),
      refuseEvent("", "is not an object", [`${i}${"y".repeat(1 << 20)}`.toUpperCase()]),
    ]);
    await collectGarbage();

    expect(process.memoryUsage().heapUsed - before).toBeLessThan(20 << 20);
    expect(refused).toHaveLength(30);
  });
});
