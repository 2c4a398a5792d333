import { toJson } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { type GetOptions, getEvent } from "../../src/cli/get.ts";
import { ofSluice, storageUnavailable } from "./fake-event-service.ts";
import { closedOutput, createReadHarness, linesOf, type ReadHarnessOptions, someEvent } from "./read-harness.ts";

const stored = someEvent("order-1", { cursor: "c1", properties: { "\u009b": "\u001b[2J", list: [1, { a: null }] } });

async function runGet(
  options: GetOptions,
  { failures = [], ...harnessOptions }: ReadHarnessOptions & { failures?: Error[] } = {},
) {
  const harness = createReadHarness({
    ...harnessOptions,
    methods: {
      getEvent({ event }) {
        const failure = failures.shift();
        if (failure !== undefined) throw failure;
        if (event.value !== (event.case === "id" ? "order-1" : "c1")) throw ofSluice("EVENT_NOT_FOUND", Code.NotFound);
        return { event: stored };
      },
    },
  });
  const exitCode = await getEvent(options, harness.deps);
  return { exitCode, ...harness };
}

const byId = { case: "id", value: "order-1" } as const;
const byCursor = { case: "cursor", value: "c1" } as const;

describe("getEvent", () => {
  it.each([byId, byCursor])(
    "prints the event of $case as indented JSON, without a raw control character",
    async (event) => {
      const { exitCode, pages, told } = await runGet({ event });

      expect({ exitCode, told }).toEqual({ exitCode: 0, told: [] });
      expect(JSON.parse(pages.join(""))).toEqual(toJson(EventSchema, stored));
      const lines = linesOf(pages);
      expect(lines[1]).toBe('  "id": "order-1",');
      for (const line of lines) expect(line).not.toMatch(/\p{Cc}/u);
    },
  );

  it("prints it in one line if asked to", async () => {
    const lines = linesOf((await runGet({ event: byId, json: true })).pages);

    expect(lines.map((line) => JSON.parse(line))).toEqual([toJson(EventSchema, stored)]);
  });

  it.each([
    [{ case: "id", value: "\u001b" } as const, /^no event with the id \\u001b that this key may read: .*remembered$/],
    [{ case: "cursor", value: "c2" } as const, /^no event with the cursor c2 that this key may read: .*kept$/],
  ])("fails, and says why, when there is none", async (event, expected) => {
    const { exitCode, pages, told } = await runGet({ event });

    expect({ exitCode, pages }).toEqual({ exitCode: 1, pages: [] });
    expect(told).toEqual([expect.stringMatching(expected)]);
  });

  it("asks again after what passes, but not when nobody is there", async () => {
    const passing = await runGet({ event: byId }, { failures: [storageUnavailable()] });
    const away = await runGet({ event: byId }, { isAway: () => true });

    expect(passing).toMatchObject({ exitCode: 0, delaysMs: [1000] });
    expect(away).toMatchObject({ exitCode: 1, delaysMs: [], told: [expect.stringContaining("cannot reach")] });
  });

  it("ends quietly when nobody reads on", async () => {
    expect(await runGet({ event: byId }, { output: closedOutput })).toMatchObject({ exitCode: 0, told: [] });
  });
});
