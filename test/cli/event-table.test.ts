import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { widthOf } from "../../src/cli/display-width.ts";
import { createEventTable } from "../../src/cli/event-table.ts";
import { linesOf, someEvent } from "./read-harness.ts";

const visit = someEvent("web-1", {
  identities: { visitor: "f6f2" },
  properties: { path: "/a", status: 404, tags: ["x"] },
});

/** With an id as the server makes it. */
const sale = someEvent("0198c7a4-6f1e-7cc1-8a6e-3f2b1a5d9c07", {
  ...visit,
  id: "0198c7a4-6f1e-7cc1-8a6e-3f2b1a5d9c07",
  name: "purchase_started",
  value: 42,
  receiveTime: timestampFromDate(new Date("2026-01-02T03:04:05.678Z")),
});

const imported = someEvent("web-2", { time: timestampFromDate(new Date("2015-05-17T10:05:03Z")) });

function format(events: readonly Event[], width?: number, filtered: readonly string[] = []): string[] {
  return linesOf([createEventTable(width, { filtered }).format(events)]);
}

const titlesOf = (lines: readonly string[]) => lines[0]?.split(/ +/).join(" ");

describe("createEventTable", () => {
  it("shows everything whole off a terminal", () => {
    const [header, ...rows] = format([
      someEvent("short"),
      someEvent("x".repeat(100), { identities: { user: "ada", visitor: "v1" }, value: 42 }),
      visit,
      imported,
    ]);

    const received = "2026-01-02T03:04:05Z";
    expect(header).toMatch(/^RECEIVED +TIME +NAME +IDENTITIES +VALUE +ID +PROPERTIES$/);
    expect(rows[0]).toMatch(new RegExp(`^${received}  ${received}  click +short$`));
    expect(rows[1]).toMatch(/Z {2}click +user=ada visitor=v1 {2}42 +x{100}$/);
    expect(rows[2]).toMatch(/visitor=f6f2 +web-1 +path=\/a status=404 tags=\["x"\]$/);
    expect(rows[3]).toMatch(new RegExp(`^${received}  2015-05-17T10:05:03Z  click +web-2$`));
  });

  it("narrows columns, then leaves them out, where there is no room for all", () => {
    const id = "0198c7a4-6f1e-7cc1-8a6e-3f2b1a5d9c07";

    expect(format([sale], 115)).toEqual([
      "RECEIVED              NAME          IDENTITIES    VALUE  ID                                    PROPERTIES",
      `2026-01-02T03:04:05Z  purchase_st…  visitor=f6f2  42     ${id}  path=/a status=404 …`,
    ]);
    expect(format([sale], 80)).toEqual([
      "RECEIVED              NAME      IDENTITIES  ID",
      `2026-01-02T03:04:05Z  purchas…  visitor=f…  ${id}`,
    ]);
    expect(format([sale], 60)).toEqual(["RECEIVED              ID", `2026-01-02T03:04:05Z  ${id}`]);
    expect(format([sale], 40)).toEqual(["ID", id]);
  });

  it("shows a property that is filtered by before other columns, and in front of other properties", () => {
    expect(titlesOf(format([sale], 80, ["status"]))).toBe("RECEIVED NAME ID PROPERTIES");
    expect(format([sale], 80, ["status"])[1]).toMatch(/ status=404$/);
    expect(format([sale], 82, ["status"])[1]).toMatch(/ status=404$/);
    expect(format([sale], 112, ["status"])[1]).toMatch(/ status=404 pat…$/);
    expect(format([sale], 200, ["status"])[1]).toMatch(/ status=404 path=\/a tags=\["x"\]$/);
  });

  it("shows the events' own times where one of the first differs by more than a second and there is room", () => {
    const late = (ms: number) =>
      someEvent("web-3", { receiveTime: timestampFromDate(new Date(Date.parse("2026-01-02T03:04:05Z") + ms)) });

    expect(titlesOf(format([visit, imported], 100))).toContain("RECEIVED TIME NAME");
    expect(titlesOf(format([late(1001)], 100))).toContain("RECEIVED TIME NAME");
    expect(titlesOf(format([visit, late(1000)], 100))).toContain("RECEIVED NAME");
    expect(titlesOf(format([imported], 60))).toContain("RECEIVED NAME");
  });

  it("fits the terminal, cuts no id, and holds no control character, whatever the events hold", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("名前".repeat(60), "\u001b]0;owned\u0007", "\n"),
    );
    const id = fc.stringMatching(/^[a-z0-9-]{1,90}$/);
    const date = fc.date({ min: new Date(0), max: new Date("9999-12-31T23:59:59.999Z"), noInvalidDate: true });
    const event = fc
      .record({ id, name: text, key: text, value: fc.double(), time: date.map(timestampFromDate) })
      .map(({ id, name, key, value, time }) =>
        someEvent(id, { name, value, time, identities: { [key]: name }, properties: { [key]: name } }),
      );
    const pages = fc.array(fc.array(event, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        pages,
        fc.integer({ min: 40, max: 200 }),
        fc.boolean(),
        fc.array(text, { maxLength: 1 }),
        (pages, width, isLive, filtered) => {
          const table = createEventTable(width, { isLive, filtered });
          let idWidthMax = 0;

          for (const events of pages) {
            const lines = linesOf([table.format(events)]);

            idWidthMax = Math.max(idWidthMax, ...events.map(({ id }) => id.length));
            events.forEach(({ id }, i) => {
              expect(lines.slice(-events.length)[i]?.split(/ {2,}/)).toContain(id);
            });
            for (const line of lines) {
              expect(line).not.toMatch(/\p{Cc}/u);
              expect(widthOf(line)).toBeLessThanOrEqual(Math.max(width, idWidthMax));
            }
          }
        },
      ),
    );
  });

  it("chooses the columns anew, below a header, for an id that is longer than those before", () => {
    const table = createEventTable(80);

    const pages = [[visit], [visit, sale], [visit]].map((events) => linesOf([table.format(events)]));

    expect(pages.map((lines) => lines.length)).toEqual([2, 3, 1]);
    expect(pages[0]?.[0]).toMatch(/VALUE {2}ID/);
    expect(pages[1]?.[0]).toMatch(/IDENTITIES {2}ID$/);
    expect(pages[1]?.[2]).toContain(sale.id);
  });

  it("leaves room for what comes later when it is live", () => {
    const table = createEventTable(160, { isLive: true });
    table.format([someEvent("a")]);

    const lines = linesOf([table.format([sale])]);

    expect(lines).toHaveLength(1);
    expect(lines[0]).not.toContain("…");
    expect(lines[0]).toContain("2026-01-02T03:04:05.678Z  purchase_started  visitor=f6f2");
  });
});
