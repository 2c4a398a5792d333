import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, describe, expect, it } from "vitest";
import { parseProjectFile, readProjectFile } from "../../src/config/project-file.ts";
import { settingDefaults } from "../../src/domain/project.ts";
import { StartError } from "../../src/domain/start-error.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-projects-"));
afterAll(() => rmSync(folder, { recursive: true }));

function write(name: string, content: Buffer): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

const digest = (digit: string) => digit.repeat(64);
const secret = (digit: string) => `"sha256:${digest(digit)}"`;

/** The example of the design, with a digest in place of "…". */
const example = `projects:
  shop:
    environments: [production, staging]
    identityKinds: [user, account]            # allow-list; omit for any
    indexedProperties: [orderId]
    rateLimits: [{ events: 30, per: 1m }, { events: 15000, per: 24h }]
    retention: 30d
    maxEvents: 50000000
    dedupeWindow: 7d
    keys:
      - { name: checkout, secret: ${secret("a")}, permissions: [track, list], environments: [production] }
`;

/** One project with these fields beside its key, each indented by 4. */
function shopWith(fields: string): string {
  return `projects:\n  shop:\n${fields.replaceAll(/^/gm, "    ")}\n    keys: [${keyWith("")}]\n`;
}

/** A key that is as it must be, but for these fields. */
function keyWith(fields: string): string {
  const defaults = { name: "k", secret: secret("a"), permissions: "[track]" };
  const rest = Object.entries(defaults).filter(([name]) => !fields.includes(`${name}:`));
  return `{ ${[...rest.map(([name, value]) => `${name}: ${value}`), fields].filter(Boolean).join(", ")} }`;
}

function shopWithKeys(...keys: string[]): string {
  return `projects: { shop: { environments: [a, b], keys: [${keys.join(", ")}] } }`;
}

function faultsOf(text: string): string[] {
  try {
    parseProjectFile(text, "f");
  } catch (error) {
    if (error instanceof StartError) return error.message.split("\n").map((line) => line.replace(/^f:( |(?=\d))/, ""));
    throw error;
  }
  return [];
}

const durations = "a whole number with its unit, such as 500ms, 30s, 1m, 24h, 7d or 4w";
const names = "1 to 64 of a-z, 0-9, _ and -, beginning with a letter or a digit";
const secrets = '"sha256:" and the 64 hex digits of a key\'s digest, as `sluice keys new` prints it';
const environment = "1 to 64 characters, none of them a control character";

describe("parseProjectFile", () => {
  it("reads the design's example", () => {
    expect(parseProjectFile(example, "f")).toEqual({
      projects: [
        {
          name: "shop",
          settings: {
            environments: ["production", "staging"],
            identityKinds: ["user", "account"],
            rateLimits: [
              { events: 30, perMs: 60_000 },
              { events: 15_000, perMs: 86_400_000 },
            ],
            eventsMax: 50_000_000,
            dedupeWindowMs: 604_800_000,
            retentionMs: 2_592_000_000,
            indexedProperties: ["orderId"],
          },
          keys: [
            {
              name: "checkout",
              digest: digest("a"),
              permissions: ["track", "list"],
              environments: ["production"],
            },
          ],
        },
      ],
      textDigest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
  });

  it("gives what is left out the defaults, and freezes all", () => {
    const file = parseProjectFile(`projects: { 2024: { keys: [${keyWith("name: '1'")}] } }`, "f");
    const [project] = file.projects;

    expect(project).toMatchObject({ name: "2024", settings: settingDefaults, keys: [{ name: "1", environments: [] }] });
    expect(
      [file, file.projects, project, project?.settings, project?.keys[0]?.permissions].every(Object.isFrozen),
    ).toBe(true);
  });

  it("reads JSON, anchors and upper-case digests too", () => {
    const text = `projects: {a: {environments: &all [x], keys: [${keyWith(`secret: "sha256:${digest("A")}"`)}]}, b: {environments: *all, keys: [${keyWith(`secret: ${secret("b")}`)}]}}`;
    const file = parseProjectFile(text, "f");

    expect(file.projects.map(({ keys }) => keys[0]?.digest)).toEqual([digest("a"), digest("b")]);
    expect(
      parseProjectFile(
        JSON.stringify({
          projects: { a: { keys: [{ name: "k", secret: `sha256:${digest("c")}`, permissions: ["list"] }] } },
        }),
        "f",
      ).projects,
    ).toHaveLength(1);
  });

  it.each([
    ["", ["the file is empty; it must be a mapping with the field projects"]],
    ["- a", ["the file is a list of 1; it must be a mapping with the field projects"]],
    ["projects:", ["projects is empty; it must be a mapping of one project or more, by name"]],
    ["projects: []", ["projects is empty; it must be a mapping of one project or more, by name"]],
    [`${example}project: {}`, ["project is not a field; the nearest is projects"]],
    ["projects: { shop: }", ["projects.shop is empty; it must be a mapping with the field keys"]],
    ["projects: { shop: {} }", ["projects.shop.keys is not set; it must be a list of one key or more"]],
    ["projects: { shop: { keys: [] } }", ["projects.shop.keys is empty; it must be a list of one key or more"]],
    ...["Shop", "-a", "a b", "{a}", "", `${"a".repeat(65)}`].map((name): [string, string[]] => [
      `projects: { ${JSON.stringify(name)}: { keys: [${keyWith("")}] } }`,
      [expect.stringMatching(/^projects.* is not a name for a project; it must be 1 to 64 of a-z, 0-9, _ and -/)],
    ]),
    [
      `projects: { __proto__: { keys: [${keyWith("")}] } }`,
      [`projects.__proto__ is not a name for a project; it must be ${names}`],
    ],
    [shopWith("rateLimit: []"), ["projects.shop.rateLimit is not a field; the nearest is rateLimits"]],
    [shopWith("__proto__: []"), [expect.stringMatching(/^projects\.shop\.__proto__ is not a field; the nearest is /)]],
    [
      shopWith("environments: []"),
      [`projects.shop.environments is empty; it must be a list of one environment or more, each ${environment}`],
    ],
    [
      shopWith('environments: [1, "a\\u0007", "", a, a]'),
      [
        `projects.shop.environments[0] is 1; it must be ${environment}`,
        `projects.shop.environments[1] is "a\\u0007"; it must be ${environment}`,
        `projects.shop.environments[2] is ""; it must be ${environment}`,
        'projects.shop.environments[4] is "a"; it must be in the list only once',
      ],
    ],
    [
      shopWith(`environments: [${"x".repeat(65)}]`),
      [`projects.shop.environments[0] is a text of 65 characters; it must be ${environment}`],
    ],
    [
      shopWith("identityKinds: user"),
      [`projects.shop.identityKinds is "user"; it must be a list of one kind of identity or more, each ${environment}`],
    ],
    [
      shopWith("indexedProperties: [a, a]"),
      ['projects.shop.indexedProperties[1] is "a"; it must be in the list only once'],
    ],
    [
      shopWith(`indexedProperties: [${Array.from({ length: 17 }, (_, i) => `p${i}`).join(", ")}]`),
      [
        "projects.shop.indexedProperties is a list of 17; it must be a list of 16 properties at most, each 1 to 256 characters, none of them a control character",
      ],
    ],
    [shopWith(`indexedProperties: [${Array.from({ length: 16 }, (_, i) => `p${i}`).join(", ")}]`), []],
    ...["0", "1000000001", "1.5", "'5'", "1e400", ".nan"].map((events): [string, string[]] => [
      shopWith(`rateLimits: [{ events: ${events}, per: 1m }]`),
      [
        expect.stringMatching(
          /^projects\.shop\.rateLimits\[0\]\.events is .*; it must be a whole number from 1 to 1000000000$/,
        ),
      ],
    ]),
    ...["999ms", "31d", "0s", "60", "a while"].map((per): [string, string[]] => [
      shopWith(`rateLimits: [{ events: 1, per: ${per} }]`),
      [
        expect.stringMatching(
          new RegExp(`^projects\\.shop\\.rateLimits\\[0\\]\\.per is .*; it must be ${durations}, from 1s to 30d$`),
        ),
      ],
    ]),
    [
      shopWith("rateLimits: [{ events: 1, per: 1m }, { events: 2, per: 60s }]"),
      ['projects.shop.rateLimits[1].per is "60s"; it must be another duration than those of the other limits'],
    ],
    [
      shopWith(`rateLimits: [${[1, 2, 3, 4, 5, 6].map((n) => `{ events: 1, per: ${n}m }`).join(", ")}]`),
      [
        "projects.shop.rateLimits is a list of 6; it must be a list of 5 limits at most, each such as { events: 30, per: 1m }",
      ],
    ],
    [
      shopWith("rateLimits: [{ event: 1, per: 1m }]"),
      [
        "projects.shop.rateLimits[0].events is not set; it must be a whole number from 1 to 1000000000",
        "projects.shop.rateLimits[0].event is not a field; the nearest is events",
      ],
    ],
    [
      shopWith("maxEvents: 0"),
      [`projects.shop.maxEvents is 0; it must be a whole number from 1 to ${Number.MAX_SAFE_INTEGER}`],
    ],
    [shopWith("dedupeWindow: 31d"), [`projects.shop.dedupeWindow is "31d"; it must be ${durations}, from 1s to 30d`]],
    [shopWith("retention: 13d"), ['projects.shop.retention is "13d"; it must be 14d or more: twice the dedupeWindow']],
    [
      shopWith("retention: 1h\ndedupeWindow: 31m"),
      ['projects.shop.retention is "1h"; it must be 62m or more: twice the dedupeWindow'],
    ],
    [shopWith("retention: 2h\ndedupeWindow: 1h"), []],
    [
      shopWithKeys(keyWith("name: Checkout"), keyWith("name: Checkout service")),
      [
        `projects.shop.keys[0].name is "Checkout"; it must be ${names}`,
        `projects.shop.keys[1].name is a text of 16 characters; it must be ${names}`,
        expect.stringContaining("keys[1].secret is that of"),
      ],
    ],
    [
      shopWithKeys(keyWith("permissions: [read]")),
      ['projects.shop.keys[0].permissions[0] is "read"; it must be track or list'],
    ],
    [
      shopWithKeys(keyWith("permissions: []")),
      ["projects.shop.keys[0].permissions is empty; it must be a list of one permission or more: track, list"],
    ],
    [
      shopWithKeys(keyWith("permissions: [track, track]")),
      ['projects.shop.keys[0].permissions[1] is "track"; it must be in the list only once'],
    ],
    [
      shopWithKeys(keyWith("environments: [a, c]")),
      ['projects.shop.keys[0].environments[1] is "c"; it must be one of the project\'s environments'],
    ],
    [
      shopWithKeys(keyWith("environment: a")),
      ["projects.shop.keys[0].environment is not a field; the nearest is environments"],
    ],
    [
      shopWithKeys(keyWith("name: k"), keyWith(`name: k, secret: ${secret("b")}`)),
      ['projects.shop.keys[1].name is "k"; it must be a name that no other key of the project has'],
    ],
    [
      shopWithKeys(keyWith(""), keyWith(`name: l, secret: "sha256:${digest("A")}"`)),
      [
        "projects.shop.keys[1].secret is that of projects.shop.keys[0].secret too; it must be one that no other key has",
      ],
    ],
    ["projects: {a: 1, a: 2}", ["1:18: the field a twice; it must be there once"]],
    [`projects:\n  "a": 1\n  a : 2`, ["3:3: the field a twice; it must be there once"]],
    ["projects: {a b: 1, a b: 2}", ["1:20: a field twice; it must be there once"]],
    ["projects:\n  shop: [", [expect.stringMatching(/^2:10: /)]],
    ["a: 1\n---\nb: 2", ["2:1: a second document (after --- or ...); the file must be one"]],
    ["projects: { ? [a] : 1 }", ["1:15: the name of a field that is not a text"]],
    ["projects: a: 1", [expect.stringMatching(/^1:11: a second colon, /)]],
    ["projects\nshop: 1", ["1:1: the name of a field over several lines, or without a colon"]],
    [
      "a: &a { x: 1 }\nprojects:\n  shop:\n    <<: *a",
      ["4:5: << merges nothing here; write the fields out, or an alias for the value of each"],
    ],
    ["projects: !!js/function x", ["1:11: a tag that is not known"]],
    ["projects: &a [*a]", ["projects is a list of 1; it must be a mapping of one project or more, by name"]],
    ["projects: *nowhere", ["1:11: an alias that stands for nothing; its anchor must be above it"]],
    ["a: *b\nb: &b 1", ["1:4: an alias that stands for nothing; its anchor must be above it"]],
    [
      `a: &a [1, 1]\nb: &b [${"*a, ".repeat(40)}]\nc: [${"*b, ".repeat(40)}]`,
      ["2:8: aliases, from here on, that stand for too much; write out what they stand for"],
    ],
  ])("finds what is wrong with %j", (text, expected) => {
    expect(faultsOf(text)).toEqual(expected);
  });

  it("reports all faults at once, however they are mixed", () => {
    const text = `
projects:
  shop:
    environments: [production]
    retention: 1d
    maxEvents: many
    keys:
      - { name: a, secret: x, permissions: [trakc], environments: [prod] }
      - { name: a, secret: ${secret("b")}, permissions: track }
  blog:
    keys:
      - { name: a, secret: ${secret("b")}, permissions: [list], role: admin }
`;

    expect(faultsOf(text).map((line) => line.split(/ is /)[0])).toEqual([
      "projects.shop.maxEvents",
      "projects.shop.keys[0].secret",
      "projects.shop.keys[0].permissions[0]",
      "projects.shop.keys[1].permissions",
      "projects.shop.retention",
      "projects.shop.keys[1].name",
      "projects.shop.keys[0].environments[0]",
      "projects.blog.keys[0].role",
      "projects.blog.keys[0].secret",
    ]);
  });

  const plainKey = `sluice_k${"Kk".repeat(21)}`;

  it.each([
    [
      "where its digest belongs",
      shopWithKeys(keyWith(`secret: ${plainKey}`)),
      [`projects.shop.keys[0].secret is not valid; it must be ${secrets}`],
    ],
    [
      "twice where digests belong",
      shopWithKeys(keyWith(`secret: ${plainKey}`), keyWith(`name: l, secret: ${plainKey}`)),
      expect.anything(),
    ],
    ["behind a digest", shopWithKeys(keyWith(`secret: sha256:${plainKey}`)), expect.anything()],
    [
      "as a name",
      shopWithKeys(keyWith(`name: ${plainKey}`)),
      [expect.stringContaining("keys[0].name is a text of 50 characters")],
    ],
    ["as a field", shopWithKeys(`{ ${plainKey}: x }`), expect.anything()],
    ["as a project", `projects: { ${plainKey}A: { keys: 1 } }`, expect.anything()],
    ["as an environment", shopWithKeys(keyWith(`environments: [${plainKey}]`)), expect.anything()],
    ["as a tag", `projects: !${plainKey} x`, expect.anything()],
    ["as an alias", `projects: *${plainKey}`, expect.anything()],
    ["as a directive", `%${plainKey} x\n---\na: 1`, expect.anything()],
    ["in a block's head", `projects: |${plainKey}\n  x`, expect.anything()],
    ["out of place", `projects: {a: 1}\n ${plainKey}: [`, expect.anything()],
    ["behind a closing quote", `projects: "x" ${plainKey}`, expect.anything()],
    ["behind a bracket", `projects: [] ] ${plainKey}`, expect.anything()],
    ["with a colon", `projects: [ { secret: ${plainKey}: x } ]`, expect.anything()],
    ["in an unclosed quote", `projects: "${plainKey}`, expect.anything()],
  ])("never repeats a key that was pasted %s", (_, text, expected) => {
    const faults = faultsOf(text);

    expect(faults).toEqual(expected);
    expect(faults.length).toBeGreaterThan(0);
    expect(faults.join()).not.toContain("KkK");
  });

  // As `sluice serve` makes one, and the shortest that it takes.
  it.each(["dev_wCmdwCmdwCmdwCmdwCmdwCmdwCmdwCmd", "wCmd-5678-abc-de", "1234567890123456"])(
    "repeats %s nowhere, wherever it is",
    (key) => {
      const places = [
        `projects: { shop: { keys: ${key} } }`,
        `projects: { shop: ${key} }`,
        `projects: ${key}`,
        `${key}: 1`,
        key,
        shopWith(`${key}: 1`),
        shopWith(`environments: [${key}, ${key}]\nmaxEvents: ${key}\nrateLimits: [${key}]\ndedupeWindow: ${key}`),
        shopWithKeys(key),
        shopWithKeys(`[${key}]`),
        shopWithKeys(`{ ${key} }`),
        ...["name", "secret", "permissions", "environments"].flatMap((field) => [
          shopWithKeys(keyWith(`${field}: ${key}`), keyWith(`${field}: ${key}`)),
          shopWithKeys(keyWith(`${field}: [${key}]`)),
        ]),
        `projects: { a: 1, ${key}: 1, ${key}: 1 }`,
        `projects: { a: &${key} 1, b: *${key}x }`,
      ];
      for (const text of places) {
        const faults = faultsOf(text);
        expect(faults).not.toEqual([]);
        expect(faults.join("\n")).not.toContain(key);
      }
    },
  );

  it("shows not even a part of what is where keys are, but for what is no secret by its name", () => {
    const short = "s3cr3t";
    expect(faultsOf(shopWithKeys(short))).toEqual([
      "projects.shop.keys[0] is a text of 6 characters; it must be a mapping with name, secret and permissions",
    ]);
    expect(faultsOf(shopWithKeys(keyWith("secret: 123456")))).toEqual([
      `projects.shop.keys[0].secret is not valid; it must be ${secrets}`,
    ]);
    expect(faultsOf(shopWithKeys(keyWith("permissions: [trakc]")))).toEqual([
      'projects.shop.keys[0].permissions[0] is "trakc"; it must be track or list',
    ]);
  });

  it("names a project and a field of ours, however long", () => {
    expect(
      faultsOf("projects: { customer-analytics-europe: { indexedProperties: 1, keys: 1 } }").map(
        (line) => line.split(" ")[0],
      ),
    ).toEqual(["projects.customer-analytics-europe.indexedProperties", "projects.customer-analytics-europe.keys"]);
  });

  it("takes any text for a file, or refuses it with StartError", () => {
    const json = fc.json({ depthSize: "medium" });
    const near = fc
      .record({
        projects: fc.dictionary(
          fc.oneof(fc.constant("shop"), fc.string()),
          fc.oneof(
            fc.jsonValue(),
            fc.record(
              {
                environments: fc.jsonValue(),
                identityKinds: fc.jsonValue(),
                rateLimits: fc.array(fc.record({ events: fc.jsonValue(), per: fc.jsonValue() })),
                retention: fc.oneof(fc.jsonValue(), fc.constant("30d")),
                dedupeWindow: fc.oneof(fc.jsonValue(), fc.constant("7d")),
                keys: fc.array(
                  fc.record({ name: fc.jsonValue(), secret: fc.jsonValue(), permissions: fc.jsonValue() }),
                ),
              },
              { requiredKeys: [] },
            ),
          ),
        ),
      })
      .map((value) => JSON.stringify(value));

    fc.assert(
      fc.property(fc.oneof(json, near, fc.string(), fc.string({ unit: "grapheme" })), (text) => {
        // Anything but a StartError is thrown on.
        faultsOf(text);
      }),
      { numRuns: 1000 },
    );
  });

  it("refuses a file with a hundred thousand faults", () => {
    expect(faultsOf(shopWith(`environments: [${"1, ".repeat(100_000)}]`)).length).toBeGreaterThan(100_000);
  });

  it.each(["[".repeat(100_000), "{a: ".repeat(50_000), `a: &a [${"*a, ".repeat(10)}]`, "- ".repeat(50_000)])(
    "refuses what is nested without end",
    (text) => {
      const faults = faultsOf(text);
      expect(faults.length).toBeGreaterThan(0);
      expect(faults.join()).not.toContain("stack");
    },
  );
});

describe.each(["README.md", "docs/configuration.md"])("%s", (document) => {
  it("shows files that are sound", () => {
    const blocks = [...readFileSync(document, "utf8").matchAll(/^```yaml\n(.*?)^```/gms)].map(
      ([, block = ""]) => block,
    );

    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) expect(faultsOf(block)).toEqual([]);
  });
});

describe("readProjectFile", () => {
  it("takes a byte order mark, and lines that end as on Windows", () => {
    const path = write("windows.yaml", Buffer.from(`\ufeff${example.replaceAll("\n", "\r\n")}`));

    expect(readProjectFile(path).projects).toEqual(parseProjectFile(example, "f").projects);
  });

  it("names the file in every fault", () => {
    const path = join(folder, "broken.yaml");
    writeFileSync(path, "projects: { shop: { keys: 1, colour: red } }");

    expect(() => readProjectFile(path)).toThrow(
      `${path}: projects.shop.keys is a number; it must be a list of one key or more\n${path}: projects.shop.colour is not a field`,
    );
  });

  it.each([
    ["that is not there", join(folder, "none.yaml"), /: cannot be read \(ENOENT\)$/],
    ["that is a folder", folder, /: is not a file of 4 MiB at most$/],
    [
      "that is UTF-16",
      write("utf16.yaml", Buffer.from(`\ufeff${example}`, "utf16le")),
      /utf16\.yaml: is UTF-16; it must be UTF-8$/,
    ],
    [
      "that is UTF-16 without a byte order mark",
      write("utf16le.yaml", Buffer.from(example, "utf16le")),
      /utf16le\.yaml: is UTF-16; it must be UTF-8$/,
    ],
    [
      "that is not UTF-8",
      write("latin1.yaml", Buffer.from(`${example}# caf\u00e9\n`, "latin1")),
      /latin1\.yaml:12: a character that is not UTF-8; the file must be UTF-8$/,
    ],
    ["that never ends", "/dev/zero", /: is not a file of 4 MiB at most$/],
  ])("refuses a file %s", (_, path, expected) => {
    expect(() => readProjectFile(path)).toThrow(expected);
  });
});
