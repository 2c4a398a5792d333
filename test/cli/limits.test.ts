import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { CallLimitsSchema, type GetLimitsResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { showLimits } from "../../src/cli/limits.ts";
import { closedOutput, createReadHarness, type ReadHarnessOptions } from "./read-harness.ts";

const day = 86_400_000;

const bare = { dedupeWindow: durationFromMs(7 * day), eventCount: 0n };

const configured = {
  ...bare,
  quotas: [
    { limit: 30n, per: durationFromMs(60_000), remaining: 12n, resetAfter: durationFromMs(35_200) },
    { limit: 15_000n, per: durationFromMs(day), remaining: 14_000n, resetAfter: durationFromMs(5_761_000) },
    { limit: 5n, per: durationFromMs(day), remaining: 0n, resetAfter: durationFromMs(day) },
    { limit: 7n, per: durationFromMs(1000), remaining: 7n, resetAfter: durationFromMs(0) },
  ],
  eventsMax: 50_000_000n,
  eventCount: 1234n,
  retention: durationFromMs(30 * day),
  environments: ["production", "evil\u001b[2J"],
  identityKinds: ["user"],
  indexedProperties: ["orderId", "status"],
} satisfies MessageInitShape<typeof GetLimitsResponseSchema>;

async function runLimits(
  limits: MessageInitShape<typeof GetLimitsResponseSchema>,
  json = false,
  options: ReadHarnessOptions = {},
) {
  const harness = createReadHarness({ ...options, methods: { getLimits: () => limits } });
  const exitCode = await showLimits({ json }, harness.deps);
  return { exitCode, text: harness.pages.join(""), told: harness.told };
}

describe("showLimits", () => {
  it("says what is configured, and what is left", async () => {
    const { exitCode, text } = await runLimits(configured);

    expect(exitCode).toBe(0);
    expect(text).toBe(`This project
  rate limits         30 per 1m: 12 left, full again in 36 s
                      15,000 per 24h: 14,000 left, full again in 97 min
                      5 per 24h: 0 left, full again in 24 h 0 min
                      7 per 1s: full
  events              1,234 of 50,000,000
  dedupe window       7d
  retention           30d
  indexed properties  orderId, status
  environments        production, evil\\u001b[2J
  identity kinds      user
`);
  });

  it("says what is not limited", async () => {
    const { text } = await runLimits(bare);

    expect(text).toContain("  rate limits         none\n  events              0, no limit\n");
    expect(text).toContain("  retention           for ever\n  indexed properties  none\n");
    expect(text).toContain("  environments        any\n  identity kinds      any\n");
  });

  it("says every cap of an event and of a call", async () => {
    const fields = CallLimitsSchema.fields;
    const callLimits = create(CallLimitsSchema, {
      throttleWait: durationFromMs(30_000),
      timeAhead: durationFromMs(day),
      tailHeartbeat: durationFromMs(15_000),
    });
    const numbers = fields.filter(({ fieldKind }) => fieldKind === "scalar");
    for (const { localName, number } of numbers) Object.assign(callLimits, { [localName]: BigInt(1000 + number) });

    const { text } = await runLimits({ ...bare, callLimits });

    for (const { number } of numbers) expect(text).toContain(` 1,0${`${number}`.padStart(2, "0")}`);
    for (const duration of ["30s", "24h", "15s"]) expect(text).toContain(` ${duration}`);
    expect(Math.max(...text.split("\n").map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it("says sizes in the unit that divides them", async () => {
    const sizes = { batchMessageBytes: 4n << 20n, propertyBytes: 16_384n, eventBytes: 800_000n };

    const { text } = await runLimits({ ...bare, callLimits: sizes });

    for (const size of ["4 MiB", "16 KiB", "less than 800,000 bytes"]) expect(text).toContain(size);
  });

  it("prints all of it as JSON, what is 0 or empty included", async () => {
    const { text } = await runLimits(bare, true);

    expect(text.indexOf("\n")).toBe(text.length - 1);
    expect(JSON.parse(text)).toEqual({
      quotas: [],
      dedupeWindow: "604800s",
      eventsMax: "0",
      eventCount: "0",
      environments: [],
      identityKinds: [],
      indexedProperties: [],
    });
  });

  it("ends quietly when nobody reads on", async () => {
    expect(await runLimits(configured, false, { output: closedOutput })).toMatchObject({ exitCode: 0, told: [] });
  });
});
