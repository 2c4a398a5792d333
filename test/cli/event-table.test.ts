import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { widthOf } from "../../src/cli/display-width.ts";
import { createEventTable } from "../../src/cli/event-table.ts";
import { linesOf, someEvent } from "./read-harness.ts";

const visit = someEvent("web-1", {
  identities: { visitor: "f6f2" },
  properties: { path: "/a", status: 404, tags: ["x"] },
});

function format(events: Parameters<ReturnType<typeof createEventTable>["format"]>[0], width?: number, isLive = false) {
  return linesOf([createEventTable(width, { isLive }).format(events)]);
}

describe("createEventTable", () => {
  it("leaves every cell whole off a terminal", () => {
    const [header, ...rows] = format([
      someEvent("short"),
      someEvent("x".repeat(100), { identities: { user: "ada", visitor: "v1" }, value: 42 }),
      visit,
    ]);

    expect(header).toMatch(/^TIME +NAME +IDENTITIES +VALUE +ID +PROPERTIES$/);
    expect(rows[0]).toMatch(/^2026-01-02T03:04:05Z {2}click +short$/);
    expect(rows[1]).toMatch(/^2026-01-02T03:04:05Z {2}click +user=ada visitor=v1 {2}42 +x{100}$/);
    expect(rows[2]).toMatch(/visitor=f6f2 +web-1 +path=\/a status=404 tags=\["x"\]$/);
  });

  it("shows properties only where there is room for them", () => {
    expect(format([visit], 80)).toEqual([
      "TIME                  NAME      IDENTITIES    VALUE  ID",
      "2026-01-02T03:04:05Z  click     visitor=f6f2         web-1",
    ]);
    expect(format([visit], 90)).toEqual([
      "TIME                  NAME      IDENTITIES    VALUE  ID        PROPERTIES",
      '2026-01-02T03:04:05Z  click     visitor=f6f2         web-1     path=/a status=404 tags=["…',
    ]);
  });

  it("is no wider than the terminal, and holds no control character, whatever the events hold", () => {
    const text = fc.oneof(
      fc.string({ unit: "binary" }),
      fc.constantFrom("名前".repeat(60), "\u001b]0;owned\u0007", "\n"),
    );
    const event = fc
      .record({ id: text, name: text, key: text, value: fc.double() })
      .map(({ id, name, key, value }) =>
        someEvent(id, { name, value, identities: { [key]: id }, properties: { [key]: id } }),
      );
    const someEvents = fc.array(event, { minLength: 1, maxLength: 3 });
    fc.assert(
      fc.property(
        someEvents,
        someEvents,
        fc.integer({ min: 62, max: 200 }),
        fc.boolean(),
        (first, next, width, isLive) => {
          const table = createEventTable(width, { isLive });

          const lines = linesOf([table.format(first), table.format(next)]);

          expect(lines).toHaveLength(1 + first.length + next.length);
          for (const line of lines) {
            expect(line).not.toMatch(/\p{Cc}/u);
            expect(widthOf(line)).toBeLessThanOrEqual(width);
          }
        },
      ),
    );
  });

  it("cuts a cell that is too long, and says so", () => {
    expect(format([someEvent("i".repeat(128))], 80)[1]).toMatch(/ i{10,}…$/);
  });

  it("leaves room for what comes later when it is live", () => {
    const uuid = "0198c7a4-6f1e-7cc1-8a6e-3f2b1a5d9c07";
    const table = createEventTable(160, { isLive: true });
    table.format([someEvent("a")]);

    const row = table.format([someEvent(uuid, { name: "purchase_started", identities: { account: "a-1234567890" } })]);

    expect(row).not.toContain("…");
    expect(row).toContain(`  ${uuid}`);
  });
});
