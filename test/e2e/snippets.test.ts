import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { projectDir, runCommand, runSluice, useSluice } from "../support/sluice-process.ts";
import { waitUntil } from "../support/wait-until.ts";

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

interface Command {
  readonly command: string;
  readonly args: readonly string[];
  readonly options: { readonly env: Record<string, string>; readonly cwd: string };
}

function toCommand({ language, code }: Snippet): Command {
  const env = { ...sluice.env, SLUICE_KEY: sluice.key };
  if (language === "sh") return { command: "bash", args: ["-euc", code], options: { env, cwd: projectDir } };
  const path = join(folder, "snippet.ts");
  writeFileSync(path, code);
  const args = ["--preserve-symlinks", "--preserve-symlinks-main", path];
  return { command: process.execPath, args, options: { env, cwd: folder } };
}

function run(snippet: Snippet) {
  const { command, args, options } = toCommand(snippet);
  return runCommand(command, args, options);
}

/** Runs a snippet that has no end until it has printed a text, and looks for that after each try to have it do so. */
async function runUntil(snippet: Snippet, text: string, provoke: () => Promise<void>): Promise<void> {
  const { command, args, options } = toCommand(snippet);
  // In a group of its own, which ends as by Ctrl-C: the shell, and what it has started.
  const child = spawn(command, args, { ...options, detached: true, stdio: ["ignore", "pipe", "ignore"] });
  let stdout = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  try {
    await waitUntil(async () => {
      await provoke();
      return stdout.includes(text);
    });
  } finally {
    if (child.pid !== undefined) process.kill(-child.pid, "SIGINT");
  }
}

/** Stores an event of a name, under an id of its own. */
async function track(name: string, id: string): Promise<void> {
  const response = await fetch(`http://${sluice.httpAddress}/sluice.v1.EventService/Track`, {
    method: "POST",
    headers: { authorization: `Bearer ${sluice.key}`, "content-type": "application/json" },
    body: JSON.stringify({ event: { id, name } }),
  });
  expect(response.status).toBe(200);
  await response.arrayBuffer();
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
  const isTail = ({ code }: Snippet) => /tailEvents/i.test(code);

  it("has snippets that all work, and store what they say", async () => {
    const snippets = readSnippets("docs/clients.md");
    expect(snippets).toHaveLength(10);

    for (const snippet of snippets.filter((one) => !isTail(one))) {
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

  it("has tails that tell of what is stored, and do not end", async () => {
    const [fromATime, fromNow, ...others] = readSnippets("docs/clients.md").filter(isTail);
    if (fromATime === undefined || fromNow === undefined) throw new Error("the document has no tails");
    expect(others).toEqual([]);

    let count = 0;
    await track("deploy", "deploy-1");
    await runUntil(fromATime, "deploy-1", async () => {});
    await runUntil(fromNow, "search-", () => track("search", `search-${count++}`));
  }, 60_000);
});
