import { describe, expect, it } from "vitest";
import type { ConfiguredKey, ConfiguredProject } from "../../src/config/project-file.ts";
import { createProjects, developmentProject } from "../../src/config/projects.ts";
import { createAccess, digestKey } from "../../src/domain/access.ts";
import { settingDefaults } from "../../src/domain/project.ts";

function keyOf(name: string, overrides: Partial<ConfiguredKey> = {}): ConfiguredKey {
  return { name, digest: digestKey(`${name}-key`), permissions: ["track"], environments: [], ...overrides };
}

function projectOf(name: string, overrides: Partial<ConfiguredProject> = {}): ConfiguredProject {
  return { name, settings: settingDefaults, keys: [keyOf(`${name}-all`)], ...overrides };
}

describe("createProjects", () => {
  it("opens each project to its own keys, with what they may do", () => {
    const checkout = keyOf("checkout", { environments: ["production"], permissions: ["list"] });
    const projects = createProjects([projectOf("shop", { keys: [checkout] }), projectOf("blog")]);
    const access = createAccess(projects.readGrants);

    expect(access.authenticate("Bearer checkout-key")).toEqual({
      project: { name: "shop", settings: settingDefaults },
      keyName: "checkout",
      permissions: new Set(["list"]),
      environments: ["production"],
    });
    expect(access.authenticate("Bearer blog-all-key").project.name).toBe("blog");
  });

  it("keeps a project the same object, whose settings are others once they changed", () => {
    const projects = createProjects([projectOf("shop")]);
    const access = createAccess(projects.readGrants);
    const { project } = access.authenticate("Bearer shop-all-key");
    const before = project.settings;

    projects.replace([projectOf("shop", { settings: { ...settingDefaults } })]);
    expect(project.settings).toBe(before);

    projects.replace([projectOf("shop", { settings: { ...settingDefaults, eventsMax: 5 } })]);
    expect(project.settings.eventsMax).toBe(5);
    expect(access.authenticate("Bearer shop-all-key").project).toBe(project);
  });

  it("takes the keys of a project that is gone, and knows it again when it is back", () => {
    const projects = createProjects([projectOf("shop"), projectOf("blog")]);
    const access = createAccess(projects.readGrants);
    const { project } = access.authenticate("Bearer shop-all-key");

    projects.replace([projectOf("blog")]);
    expect(projects.readProjects().map(({ name }) => name)).toEqual(["blog"]);
    expect(() => access.authenticate("Bearer shop-all-key")).toThrow("this key opens no project");
    expect(project.settings).toEqual(settingDefaults);

    projects.replace([projectOf("shop")]);
    expect(access.authenticate("Bearer shop-all-key").project).toBe(project);
    expect(projects.readProjects()).toEqual([project]);
  });

  it("says what changes, by name, and without a digest", () => {
    const before = [projectOf("shop", { keys: [keyOf("old"), keyOf("kept"), keyOf("changed")] }), projectOf("gone")];
    const projects = createProjects(before);
    expect(projects.replace(structuredClone(before))).toEqual([]);

    const changes = projects.replace([
      projectOf("shop", {
        settings: {
          ...settingDefaults,
          environments: ["a"],
          eventsMax: 1,
          dedupeWindowMs: 1000,
          retentionMs: 2000,
          indexedProperties: ["orderId"],
        },
        keys: [
          keyOf("kept"),
          keyOf("new"),
          keyOf("changed", { digest: digestKey("other"), permissions: ["list"], environments: ["a"] }),
        ],
      }),
      projectOf("added"),
    ]);

    expect(changes).toEqual([
      "project added added",
      "project gone removed",
      "project shop changed: environments, maxEvents, dedupeWindow, retention, indexedProperties",
      "key new of shop added",
      "key old of shop removed",
      "key changed of shop changed: secret, permissions, environments",
    ]);
  });

  it("moves a key from one project to another", () => {
    const key = keyOf("k");
    const projects = createProjects([projectOf("a", { keys: [key] }), projectOf("b")]);

    projects.replace([projectOf("a"), projectOf("b", { keys: [key] })]);

    expect(createAccess(projects.readGrants).authenticate("Bearer k-key").project.name).toBe("b");
  });
});

describe("developmentProject", () => {
  it("is dev, with the default settings and a key that may do everything", () => {
    const access = createAccess(createProjects([developmentProject("a-dev-key")]).readGrants);

    expect(access.authenticate("Bearer a-dev-key")).toEqual({
      project: { name: "dev", settings: settingDefaults },
      keyName: "dev",
      permissions: new Set(["track", "list"]),
      environments: [],
    });
  });
});
