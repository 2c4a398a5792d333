import { describe, expect, it } from "vitest";
import { narrowFilter } from "../../src/domain/narrow-filter.ts";
import type { Project } from "../../src/domain/project.ts";
import { settingDefaults } from "../../src/domain/project.ts";
import { noFilter } from "../support/arbitrary-filters.ts";

const projectWith = (environments: string[]): Project => ({
  name: "shop",
  settings: { ...settingDefaults, environments },
});

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

    for (const project of [projectWith([]), projectWith(["staging", "production"])]) {
      expect(narrowFilter(query, { environments: bound, project })).toEqual({ ...rest, environments });
    }
  });

  it.each(["staging", "stagnig"])("refuses the environment %s to a caller who is bound to another", (environment) => {
    const caller = { environments: ["production"], project: projectWith(["production", "staging"]) };

    expect(() => narrowFilter({ ...noFilter, environment }, caller)).toThrow(
      expect.objectContaining({
        reason: "ENVIRONMENT_FORBIDDEN",
        violations: [{ field: "filter.environment", message: "is none that this key may read" }],
      }),
    );
  });

  it("refuses an environment that the project does not have, if that has a list", () => {
    const query = { ...noFilter, environment: "stagnig" };
    const narrow = (project: Project) => narrowFilter(query, { environments: [], project });

    expect(() => narrow(projectWith(["production", "staging"]))).toThrow(
      expect.objectContaining({
        reason: "FILTER_INVALID",
        violations: [{ field: "filter.environment", message: "is none of the project's" }],
      }),
    );
    expect(narrow(projectWith([]))).toMatchObject({ environments: ["stagnig"] });
  });

  it("refuses a filter that is out of its bounds", () => {
    expect(() => narrowFilter({ ...noFilter, names: [""] }, { environments: [], project: projectWith([]) })).toThrow(
      expect.objectContaining({ reason: "FILTER_INVALID" }),
    );
  });
});
