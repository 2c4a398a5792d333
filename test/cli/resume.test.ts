import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFakeEventService } from "./fake-event-service.ts";
import { runImport } from "./import-harness.ts";

const line = fc.oneof(
  { weight: 6, arbitrary: fc.nat(40).map((n) => JSON.stringify({ id: `id${n}`, name: "click" })) },
  { weight: 3, arbitrary: fc.constant('{"name":"without id"}') },
  { weight: 1, arbitrary: fc.constant('{"id":"bad","name":"rejected"}') },
  { weight: 1, arbitrary: fc.constantFrom("not json", '{"nam":"x"}', "[]") },
  { weight: 1, arbitrary: fc.constantFrom("", "  ") },
);

const cut = fc.option(fc.record({ afterCount: fc.nat(30), isAnswered: fc.boolean(), unknownCount: fc.nat(5) }), {
  nil: undefined,
});

/** Whatever its chunks are, an input's lines are the same. */
async function* inChunks(text: string, sizes: readonly number[]): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(text);
  for (let begin = 0, i = 0; begin < bytes.length; i++) {
    const end = begin + (sizes[i % sizes.length] ?? 1);
    yield bytes.subarray(begin, end);
    begin = end;
  }
}

describe("an import whose streams are cut", () => {
  it("stores every line once, and its counts add up", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(line, { maxLength: 120 }),
        fc.array(cut, { maxLength: 9 }),
        fc.array(fc.integer({ min: 1, max: 2000 }), { minLength: 1, maxLength: 5 }),
        fc.boolean(),
        async (lines, cuts, chunkSizes, isInputSlow) => {
          const service = createFakeEventService({ cuts, isRejected: ({ name }) => name === "rejected" });
          const input = inChunks(lines.join("\n"), chunkSizes);

          const run = await runImport({ client: service.client, input, isInputSlow });

          const { accepted = 0, duplicate = 0, rejected, "invalid lines": invalid, unknown } = run.counts;
          const ofKind = (part: string) => lines.filter((text) => text.includes(part));
          const distinctIds = new Set(ofKind('"id":"id'));
          const withoutId = ofKind("without id").length;
          expect(service.stored.size).toBe(distinctIds.size + withoutId);
          expect(accepted + duplicate).toBe(ofKind('"id":"id').length + withoutId);
          expect({ rejected, unknown }).toEqual({ rejected: ofKind('"bad"').length, unknown: 0 });
          expect(invalid).toBe(
            lines.filter((text) => text.trim() !== "" && !text.startsWith('{"id"')).length - withoutId,
          );
          expect(run.exitCode).toBe(rejected === 0 && invalid === 0 ? 0 : 1);
        },
      ),
      { numRuns: 300 },
    );
  });

  it("counts no event as a duplicate that it stored itself, when each cut is answered in full", async () => {
    const answered = fc.record({
      afterCount: fc.nat(30),
      isAnswered: fc.constant(true),
      unknownCount: fc.constant(0),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(answered, { maxLength: 9 }), async (cuts) => {
        const service = createFakeEventService({ cuts });
        const input = Array.from({ length: 100 }, (_, i) => `{"id":"${i}","name":"click"}`).join("\n");

        const run = await runImport({ client: service.client, input });

        expect(run.counts).toMatchObject({ accepted: 100, duplicate: 0, unknown: 0 });
        expect([...service.stored.keys()]).toEqual(Array.from({ length: 100 }, (_, i) => `${i}`));
      }),
      { numRuns: 50 },
    );
  });
});
