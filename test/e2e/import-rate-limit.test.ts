import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { useFiles } from "../support/certificates.ts";
import { limitedProject } from "../support/limited-project.ts";
import { projectDir, runSluice, useSluice } from "../support/sluice-process.ts";
import { waitUntil } from "../support/wait-until.ts";

const write = useFiles();

const keyOfAll = "e2e-key-0123456789abcdef";
const sluice = useSluice({ SLUICE_CONFIG: write("sluice.yaml", limitedProject(keyOfAll, "{ events: 200, per: 1s }")) });

beforeAll(() => sluice.start());

function linesOf(prefix: string, count: number): string {
  return Array.from({ length: count }, (_, i) => `{"id":"${prefix}${i}","name":"click"}\n`).join("");
}

async function listIds(prefix: string): Promise<string[]> {
  const { stdout } = await runSluice(sluice, ["list", "--json", "--oldest-first"]);
  const ids = stdout.split("\n").flatMap((line) => (line === "" ? [] : [String(JSON.parse(line).id)]));
  return ids.filter((id) => id.startsWith(prefix));
}

describe("sluice import under a tight rate limit", () => {
  it("has every line accepted exactly once, in its order, and says what it waits for", {
    timeout: 60_000,
  }, async () => {
    const { exitCode, stdout, stderr } = await runSluice(sluice, ["import", "-"], linesOf("a", 2000));

    expect(stderr).toMatch(/^a rate limit of the project is used up; going on in \d+\.\d s$/m);
    expect(stderr).not.toMatch(/unknown|premature|SLUICE_URL/i);
    expect(stdout).toMatch(/accepted +2000\nduplicate +0\nrejected +0\ninvalid lines +0\nunknown +0\n/);
    expect(exitCode).toBe(0);
    expect(await listIds("a")).toEqual(Array.from({ length: 2000 }, (_, i) => `a${i}`));
  });

  it("knows what became of all that it sent when the user stops it", { timeout: 60_000 }, async () => {
    const file = write("b.ndjson", linesOf("b", 20_000));
    const env = { PATH: String(process.env.PATH), SLUICE_URL: `http://${sluice.httpAddress}`, SLUICE_KEY: sluice.key };
    const child = spawn(join(projectDir, "bin/sluice"), ["import", file], { env, stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk) => {
      stdout += chunk;
    });
    child.stderr.on("data", (chunk) => {
      stderr += chunk;
    });
    await waitUntil(async () => (await listIds("b")).length > 200);

    child.kill("SIGINT");
    const [exitCode] = await once(child, "close");

    expect(exitCode).toBe(130);
    expect(stderr).toContain("waiting for the answer of what was sent; Ctrl-C again stops at once\n");
    expect(stderr).toMatch(/has its answer; nothing else is stored/);
    const [, accepted] = /accepted +(\d+)\n.*unknown +0\n/s.exec(stdout) ?? [];
    expect((await listIds("b")).length).toBe(Number(accepted));
  });
});
