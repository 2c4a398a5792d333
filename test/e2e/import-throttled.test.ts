import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { limitedProject } from "../support/limited-project.ts";
import { projectDir, SluiceProcess } from "../support/sluice-process.ts";
import { waitUntil } from "../support/wait-until.ts";

const folder = mkdtempSync(join(tmpdir(), "sluice-throttled-"));
const path = join(folder, "sluice.yaml");
const sluice = new SluiceProcess({ SLUICE_CONFIG: path });

beforeAll(async () => {
  writeFileSync(path, limitedProject(sluice.key, "{ events: 10, per: 1h }"));
  await sluice.start();
});

afterAll(async () => {
  await sluice.remove();
  rmSync(folder, { recursive: true });
});

/** Imports events that a rate limit keeps out, until it waits for tokens or ends; and what it said of that. */
async function importUntilThrottled(file: string): Promise<string> {
  const env = { ...sluice.env, SLUICE_URL: `http://${sluice.httpAddress}`, SLUICE_KEY: sluice.key };
  const child = spawn(join(projectDir, "bin/sluice"), ["import", file], { env, cwd: projectDir });
  let told = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    told += text;
  });
  const closed = once(child, "close");
  await waitUntil(() => child.exitCode !== null || told.includes("going on in"));
  child.kill("SIGINT");
  await closed;
  return told;
}

describe("sluice import", () => {
  it("waits for an empty rate limit, which ends its stream while it sends", async () => {
    const file = join(folder, "events.ndjson");
    const text = "x".repeat(1000);
    const lines = Array.from({ length: 20_000 }, (_, i) =>
      JSON.stringify({ id: `e${i}`, name: "a", properties: { text } }),
    );
    writeFileSync(file, lines.join("\n"));

    for (let i = 0; i < 5; i++) {
      expect(await importUntilThrottled(file)).toContain("a rate limit of the project is used up; going on in");
    }
  });
});
