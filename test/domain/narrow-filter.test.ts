import { describe, expect, it } from "vitest";
import { narrowFilter } from "../../src/domain/narrow-filter.ts";
import { noFilter } from "../support/arbitrary-filters.ts";

describe("narrowFilter", () => {
  it.each<[string, string[], string[]]>([
    ["", [], []],
    ["", ["production"], ["production"]],
    ["", ["production", "staging"], ["production", "staging"]],
    ["staging", [], ["staging"]],
    ["staging", ["production", "staging"], ["staging"]],
  ])("narrows the environment %j, for a key that is bound to %j", (environment, bound, environments) => {
    const query = { ...noFilter, names: ["click"], environment };
    const { environment: _, ...rest } = query;

    expect(narrowFilter(query, { environments: bound })).toEqual({ ...rest, environments });
  });

  it("refuses an environment that the caller may not read", () => {
    const query = { ...noFilter, environment: "staging" };

    expect(() => narrowFilter(query, { environments: ["production"] })).toThrow(
      expect.objectContaining({
        reason: "ENVIRONMENT_FORBIDDEN",
        violations: [{ field: "filter.environment", message: "is none that this key may read" }],
      }),
    );
  });

  it("refuses a filter that is out of its bounds", () => {
    expect(() => narrowFilter({ ...noFilter, names: [""] }, { environments: [] })).toThrow(
      expect.objectContaining({ reason: "FILTER_INVALID" }),
    );
  });
});
