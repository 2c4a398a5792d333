import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectDir, runCommand, runSluice, useSluice } from "../support/sluice-process.ts";

const sluice = useSluice();
const folder = mkdtempSync(join(tmpdir(), "sluice-snippets-"));

beforeAll(async () => {
  await sluice.start();
  for (const name of ["gen", "node_modules"]) symlinkSync(join(projectDir, name), join(folder, name));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Snippet {
  readonly name: string;
  readonly language: string;
  readonly code: string;
}

/** The code blocks of a document that a reader may paste while the server runs. */
function readSnippets(file: string): Snippet[] {
  const sections = readFileSync(join(projectDir, file), "utf8").split(/^## /m).slice(1);
  return sections.flatMap((section) => {
    const title = section.slice(0, section.indexOf("\n"));
    return [...section.matchAll(/^```(sh|ts)\n([\s\S]*?)^```$/gm)].map(([, language = "", code = ""], i) => ({
      name: `${file}: ${title}, snippet ${i + 1}`,
      language,
      code: code.replaceAll("127.0.0.1:8080", sluice.httpAddress).replaceAll("127.0.0.1:50051", sluice.grpcAddress),
    }));
  });
}

async function run({ language, code }: Snippet) {
  const env = { ...sluice.env, SLUICE_KEY: sluice.key };
  if (language === "sh") return runCommand("bash", ["-euc", code], { env });
  const path = join(folder, "snippet.ts");
  writeFileSync(path, code);
  return runCommand(process.execPath, ["--preserve-symlinks", "--preserve-symlinks-main", path], { env, cwd: folder });
}

describe("README.md", () => {
  it("has a first event that can be pasted", async () => {
    const [, paste] = readSnippets("README.md");
    if (paste === undefined) throw new Error("the README has no snippet to paste");
    const key = "export SLUICE_KEY=$(cat data/dev-key)";
    expect(paste.code).toContain(key);

    const { exitCode, stdout, stderr } = await run({ ...paste, code: paste.code.replace(key, "") });

    expect({ exitCode, stderr: exitCode === 0 ? "" : stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/"id":"order-1".*"events": \[\s*\{\s*"id": "order-1"/s);
  });
});

describe("docs/clients.md", () => {
  it("has snippets that all work, and store what they say", async () => {
    const snippets = readSnippets("docs/clients.md");
    expect(snippets.map(({ name }) => name)).toHaveLength(7);

    for (const snippet of snippets) {
      const { exitCode, stdout, stderr } = await run(snippet);
      expect({ name: snippet.name, exitCode, stderr: exitCode === 0 ? "" : stderr + stdout }).toEqual({
        name: snippet.name,
        exitCode: 0,
        stderr: "",
      });
    }

    const { stdout } = await runSluice(sluice, ["list", "--json", "--oldest-first"]);
    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events.map(({ id, entrance }) => `${id} ${entrance}`)).toEqual([
      // The README's; the first of docs/clients.md is the same event.
      "order-1 connect",
      "view-1 connect",
      ...["buf-1", "buf-2", "buf-3", "buf-4"].map((id) => `${id} grpc`),
      ...["grpc-1", "grpc-2", "grpc-3", "grpc-4"].map((id) => `${id} grpc`),
      ...["connect-1", "connect-2", "connect-3", "connect-4"].map((id) => `${id} connect`),
      ...["js-1", "js-2", "js-3", "js-4"].map((id) => `${id} grpc`),
      ...["1.1", "2"].flatMap((version) => [1, 2, 3, 4].map((n) => `connect-http${version}-${n} connect`)),
      ...["web-1", "web-2"].map((id) => `${id} grpc-web`),
    ]);
  }, 60_000);
});
