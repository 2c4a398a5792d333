import { toJson } from "@bufbuild/protobuf";
import { Command, type CommanderError } from "commander";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { EventFilter } from "../../gen/sluice/v1/event_service_pb.ts";
import { EventFilterSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { addFilterOptions, readFilter } from "../../src/cli/filter-options.ts";

const nowMs = Date.parse("2026-03-01T12:00:00Z");

function parse(args: readonly string[], isTail = false): { filter?: EventFilter; message?: string } {
  const command = addFilterOptions(new Command("list"), () => nowMs, { isTail })
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  try {
    return { filter: readFilter(command.parse(args, { from: "user" })) };
  } catch (error) {
    return { message: (error as CommanderError).message };
  }
}

describe("readFilter", () => {
  it.each([
    [[], {}],
    [["--name", "a", "--name", "b"], { names: ["a", "b"] }],
    [["--identity", "visitor=a=b"], { identity: { kind: "visitor", id: "a=b" } }],
    [["--environment", "production"], { environment: "production" }],
    [["--value", "1", "--value", "-2.5", "--value", "1e3"], { values: [1, -2.5, 1000] }],
    [["--value-min", "0", "--value-max", "0"], { valueMin: 0, valueMax: 0 }],
    [["--property", "status=404", "--property", "path=/a=b"], { properties: { status: "404", path: "/a=b" } }],
    [["--property", "note="], { properties: { note: "" } }],
    [["--since", "1h"], { receiveTimeFrom: "2026-03-01T11:00:00Z" }],
    [["--until", "2026-02-01"], { receiveTimeUntil: "2026-02-01T00:00:00Z" }],
    [
      ["--since", "1h", "--until", "1h"],
      { receiveTimeFrom: "2026-03-01T11:00:00Z", receiveTimeUntil: "2026-03-01T11:00:00Z" },
    ],
    [["--include-test"], { includeTest: true }],
  ])("makes of %j the filter %j", (args, expected) => {
    const { filter } = parse(args);

    expect(filter && toJson(EventFilterSchema, filter)).toEqual(expected);
  });

  it.each([
    [["--name", ""], "It must not be empty: every event has a name."],
    [["--identity", "visitor"], "It must be a kind and an identity, such as visitor=v1."],
    [["--identity", "=v1"], "It must be a kind and an identity"],
    [["--identity", "visitor="], "It must be a kind and an identity"],
    [["--identity", "user=a", "--identity", "user=b"], "One identity can be given."],
    [["--environment", ""], "It must be 1 to 64 characters"],
    [["--value", ""], "It must be a number, such as 42"],
    [["--value", "0x10"], "It must be a number"],
    [["--value-min", "Infinity"], "It must be a number"],
    [["--value-max", "1e999"], "It must be a number"],
    [["--value-min", "2", "--value-max", "1"], "--value-min is above --value-max"],
    [["--property", "status"], "It must be a property and its value, such as status=404."],
    [["--property", "=404"], "It must be a property and its value"],
    [["--property", "a=1", "--property", "a=2"], "A property can be given once."],
    [["--since", "soon"], "It must be a duration back from now, such as 90s"],
    [["--since", "3651d"], "A duration is 3650d at most."],
    [["--until", "2026-02-30"], "There is no 2026-02-30."],
    [["--since", "1h", "--until", "2h"], "--since is after --until"],
  ])("refuses %j", (args, expected) => {
    expect(parse(args).message).toContain(expected);
  });

  it("has no end for a tail", () => {
    expect(parse(["--until", "1h"], true).message).toContain("unknown option '--until'");
  });

  it("keeps every text as it was given", () => {
    const text = fc.string({ minLength: 1, unit: "grapheme" });
    fc.assert(
      fc.property(
        text,
        text.filter((key) => !key.includes("=") && key !== "__proto__"),
        (value, key) => {
          const { filter } = parse(["--name", value, "--identity", `${key}=${value}`, "--property", `${key}=${value}`]);

          expect(filter?.names).toEqual([value]);
          expect(filter?.identity).toMatchObject({ kind: key, id: value });
          expect(filter?.properties[key]?.kind).toEqual({ case: "stringValue", value });
        },
      ),
    );
  });
});
