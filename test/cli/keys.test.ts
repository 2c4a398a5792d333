import { describe, expect, it } from "vitest";
import { checkConfig } from "../../src/cli/config-check.ts";
import { type NewKeyOptions, newKey } from "../../src/cli/keys.ts";
import { parseProjectFile } from "../../src/config/project-file.ts";
import { digestKey } from "../../src/domain/access.ts";
import { StartError } from "../../src/domain/start-error.ts";

const known = `projects:
  shop:
    environments: [production, staging]
    identityKinds: [user]
    rateLimits: [{ events: 30, per: 1m }, { events: 15000, per: 24h }]
    maxEvents: 500
    retention: 30d
    indexedProperties: [orderId, status]
    keys:
      - { name: checkout, secret: "sha256:${"a".repeat(64)}", permissions: [track, list], environments: [production] }
  blog: { keys: [{ name: all, secret: "sha256:${"b".repeat(64)}", permissions: [list] }] }
`;

const path = "/etc/sluice.yaml";
const readKnown = async () => ({ path, ...parseProjectFile(known, path) });
const readNone = async () => undefined;

async function make(options: Partial<NewKeyOptions> = {}, readProjects: typeof readKnown | typeof readNone = readNone) {
  const texts: string[] = [];
  const told: string[] = [];
  const exitCode = await newKey(
    { project: "shop", name: "reports", permissions: ["track"], ...options },
    { readProjects, print: async (text) => void texts.push(text), tell: (line) => told.push(line) },
  );
  const printed = texts.join("");
  const key = /^ {2}(sluice_\S+)$/m.exec(printed)?.[1] ?? "";
  const line = /^ +(- \{ .* \})$/m.exec(printed)?.[1] ?? "";
  return { exitCode, printed, told, key, line };
}

describe("newKey", () => {
  it("prints a key once, and the line that lets it in", async () => {
    const { exitCode, printed, told, key, line } = await make({ environments: ["production"] });

    expect(exitCode).toBe(0);
    expect(key).toMatch(/^sluice_[A-Za-z0-9_-]{43}$/);
    expect(printed.split(key)).toHaveLength(2);
    expect(printed).toContain("not shown again");
    expect(printed).toContain("projects.shop.keys in the file that SLUICE_CONFIG names");
    expect(line).toBe(
      `- { name: reports, secret: "sha256:${digestKey(key)}", permissions: [track], environments: [production] }`,
    );
    expect(told).toEqual([]);
  });

  it("makes another key each time", async () => {
    expect((await make()).key).not.toBe((await make()).key);
  });

  it.each<Partial<NewKeyOptions>>([
    { permissions: ["track", "list"] },
    { name: "2024", environments: ["true", "null", "1e3", "Test lab: 1", `it's "so"`, "näh", "[x]", "# no"] },
    { name: "off", environments: ["a, b", "~", "-", "&a"] },
  ])("prints a line that the file takes as it is meant: %j", async (options) => {
    const { key, line } = await make(options);

    const [project] = parseProjectFile(`projects:\n  shop:\n    keys:\n      ${line}\n`, "f").projects;

    const { name = "reports", permissions = ["track"], environments = [] } = options;
    expect(project?.keys).toEqual([{ name, digest: digestKey(key), permissions, environments }]);
  });

  it("says what the file of projects has against it, and makes it all the same", async () => {
    const inShop = await make({ name: "checkout", environments: ["production", "prod"] }, readKnown);
    const elsewhere = await make({ project: "shopp" }, readKnown);
    const fine = await make({ environments: ["staging"] }, readKnown);
    const anyEnvironment = await make({ project: "blog", environments: ["whatever"] }, readKnown);

    expect(inShop.told).toEqual([
      "sluice: project shop has no environment prod in /etc/sluice.yaml",
      "sluice: project shop has a key checkout in /etc/sluice.yaml already; two need two names",
    ]);
    expect(inShop.exitCode).toBe(0);
    expect(inShop.printed).toContain("projects.shop.keys in /etc/sluice.yaml");
    expect(elsewhere.told).toEqual(["sluice: there is no project shopp in /etc/sluice.yaml yet"]);
    expect([...fine.told, ...anyEnvironment.told]).toEqual([]);
  });

  it("makes it without a file that can be read, and says so", async () => {
    const { exitCode, told, key } = await make({}, async () => {
      throw new StartError("f: a fault\nf: another");
    });

    expect(exitCode).toBe(0);
    expect(key).not.toBe("");
    expect(told).toEqual([
      "sluice: f: a fault\nsluice: f: another\nsluice: so the key was not compared with the projects",
    ]);
  });
});

describe("checkConfig", () => {
  async function check(readProjects: typeof readKnown | typeof readNone) {
    const texts: string[] = [];
    const told: string[] = [];
    const exitCode = await checkConfig({
      readProjects,
      print: async (text) => void texts.push(text),
      tell: (line) => told.push(line),
    });
    return { exitCode, printed: texts.join(""), told };
  }

  it("says in short what the file configures, without a secret", async () => {
    const { exitCode, printed, told } = await check(readKnown);

    expect(exitCode).toBe(0);
    expect(printed).toBe(`/etc/sluice.yaml is sound

shop
  environments        production, staging
  identity kinds      user
  rate limits         30 per 1m, 15000 per 24h
  max events          500
  dedupe window       7d
  retention           30d
  indexed properties  orderId, status
  key checkout        track, list in production

blog
  environments        any
  identity kinds      any
  rate limits         none
  max events          no limit
  dedupe window       7d
  retention           for ever
  indexed properties  none
  key all             list
`);
    expect(told).toEqual([]);
  });

  it("fails when it knows of no file", async () => {
    expect(await check(readNone)).toEqual({
      exitCode: 1,
      printed: "",
      told: ["sluice: which file? Name it, or set SLUICE_CONFIG"],
    });
  });

  it("rejects with the faults of the file", async () => {
    await expect(
      check(async () => {
        throw new StartError("f: a fault");
      }),
    ).rejects.toThrow("f: a fault");
  });
});
