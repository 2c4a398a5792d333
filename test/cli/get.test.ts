import { toJson } from "@bufbuild/protobuf";
import { Code } from "@connectrpc/connect";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { type GetOptions, getEvents } from "../../src/cli/get.ts";
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
        if (event.value === "expired") throw ofSluice("CURSOR_EXPIRED", Code.OutOfRange);
        if (event.value === "bad") throw ofSluice("FILTER_INVALID", Code.InvalidArgument);
        if (event.value !== (event.case === "id" ? "order-1" : "c1")) throw ofSluice("EVENT_NOT_FOUND", Code.NotFound);
        return { event: stored };
      },
    },
  });
  const exitCode = await getEvents(options, harness.deps);
  return { exitCode, ...harness };
}

const byId = { case: "id", value: "order-1" } as const;
const byCursor = { case: "cursor", value: "c1" } as const;

describe("getEvents", () => {
  it.each([byId, byCursor])(
    "prints the event of $case as indented JSON, without a raw control character",
    async (event) => {
      const { exitCode, pages, told } = await runGet({ events: [event] });

      expect({ exitCode, told }).toEqual({ exitCode: 0, told: [] });
      expect(JSON.parse(pages.join(""))).toEqual(toJson(EventSchema, stored));
      const lines = linesOf(pages);
      expect(lines[1]).toBe('  "id": "order-1",');
      for (const line of lines) expect(line).not.toMatch(/\p{Cc}/u);
    },
  );

  it("prints it in one line if asked to", async () => {
    const lines = linesOf((await runGet({ events: [byId], json: true })).pages);

    expect(lines.map((line) => JSON.parse(line))).toEqual([toJson(EventSchema, stored)]);
  });

  it.each([
    [{ case: "id", value: "\u001b" } as const, /^no event with the id \\u001b that this key may read: .*remembered$/],
    [{ case: "cursor", value: "c2" } as const, /^no event with the cursor c2 that this key may read: .*kept$/],
    [{ case: "cursor", value: "expired" } as const, /^no event with the cursor expired that this key may read: text$/],
  ])("fails, and says why, when there is none", async (event, expected) => {
    const { exitCode, pages, told } = await runGet({ events: [event] });

    expect({ exitCode, pages }).toEqual({ exitCode: 1, pages: [] });
    expect(told).toEqual([expect.stringMatching(expected)]);
  });

  it("prints several in a line each, in the order given, and names each that is not there", async () => {
    const [missing, gone] = ["missing", "gone"].map((value) => ({ case: "id", value }) as const);

    const run = await runGet({ events: [byId, missing ?? byId, byId, gone ?? byId] });

    expect(run.exitCode).toBe(1);
    expect(linesOf(run.pages).map((line) => JSON.parse(line).id)).toEqual(["order-1", "order-1"]);
    expect(run.told).toEqual([expect.stringContaining("the id missing"), expect.stringContaining("the id gone")]);
  });

  it("ends at the first of several that cannot be asked for, and names it", async () => {
    const run = await runGet({ events: [byId, { case: "id", value: "bad" }, byId] });

    expect(run).toMatchObject({ exitCode: 1, told: ["the id bad: text (FILTER_INVALID)"] });
    expect(run.pages).toHaveLength(1);
  });

  it("asks again after what passes, but not when nobody is there", async () => {
    const passing = await runGet({ events: [byId] }, { failures: [storageUnavailable()] });
    const away = await runGet({ events: [byId] }, { isAway: () => true });

    expect(passing).toMatchObject({ exitCode: 0, delaysMs: [1000] });
    expect(away).toMatchObject({ exitCode: 1, delaysMs: [], told: [expect.stringContaining("cannot reach")] });
  });

  it("ends quietly when nobody reads on", async () => {
    expect(await runGet({ events: [byId] }, { output: closedOutput })).toMatchObject({ exitCode: 0, told: [] });
  });
});
