import { spawn } from "node:child_process";
import { once } from "node:events";
import { createServer } from "node:net";
import { join } from "node:path";
import { beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { projectDir, runCommand, runSluice, useSluice } from "../support/sluice-process.ts";
import { waitUntil } from "../support/wait-until.ts";

// Whoever tails it finds it again after it was killed.
const sluice = useSluice({ SLUICE_HTTP_PORT: `${await findFreePort()}` });

async function findFreePort(): Promise<number> {
  const holder = createServer().listen(0, "127.0.0.1");
  await once(holder, "listening");
  const address = holder.address();
  holder.close();
  await once(holder, "close");
  if (address === null || typeof address === "string") throw new Error("a port was expected");
  return address.port;
}

async function importEvents(...ids: readonly string[]): Promise<void> {
  const lines = ids.map((id) => JSON.stringify({ id, name: "click", time: "2015-05-17T10:05:03Z" }));
  expect(await runSluice(sluice, ["import", "-"], lines.join("\n"))).toMatchObject({ exitCode: 0 });
}

function idsIn(text: string): string[] {
  return text
    .split("\n")
    .filter(Boolean)
    .map((line) => JSON.parse(line).id);
}

/** A tail in a process of its own, and what it has said so far. */
function startTail(...args: readonly string[]) {
  const env = { ...sluice.env, SLUICE_URL: `http://${sluice.httpAddress}`, SLUICE_KEY: sluice.key };
  const child = spawn(join(projectDir, "bin/sluice"), ["tail", ...args], { env, stdio: ["ignore", "pipe", "pipe"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const said = { stdout: "", stderr: "" };
  child.stdout.on("data", (chunk) => {
    said.stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    said.stderr += chunk;
  });
  const closed = once(child, "close");
  return {
    said,
    async stop(): Promise<unknown> {
      child.kill("SIGINT");
      const [exitCode] = await closed;
      return exitCode;
    },
  };
}

beforeAll(() => sluice.start());

describe("sluice tail", () => {
  it("prints each event once and in order when its server is killed and started again, and ends with 0", async () => {
    const first = Array.from({ length: 20 }, (_, i) => `first-${i}`);
    const second = Array.from({ length: 20 }, (_, i) => `second-${i}`);
    await importEvents(...first);
    const tail = startTail("--since", "1970-01-01", "--json");
    await waitUntil(() => tail.said.stdout.includes("first-19"));

    await sluice.end("SIGKILL");
    await waitUntil(() => tail.said.stderr.includes("cut off, and trying to go on"));
    await sluice.start();
    await importEvents(...second);

    await waitUntil(() => tail.said.stdout.includes("second-19"), 30_000);
    expect(await tail.stop()).toBe(0);
    expect(idsIn(tail.said.stdout)).toEqual([...first, ...second]);
    expect(tail.said.stderr).toContain("going on where it was cut off");
  }, 60_000);

  it("ends after as many events as asked for, and says what is wrong with a port or a cursor", async () => {
    await importEvents("tailed");

    const limited = await runSluice(sluice, ["tail", "--since", "1970-01-01", "--limit", "1"]);
    const env = { ...sluice.env, SLUICE_URL: `http://${sluice.grpcAddress}`, SLUICE_KEY: sluice.key };
    const atGrpc = await runCommand(join(projectDir, "bin/sluice"), ["tail"], { env });
    const atNothing = await runSluice(sluice, ["tail", "--after", "nothing"]);

    expect(limited.exitCode).toBe(0);
    expect(limited.stdout).toMatch(/^RECEIVED +TIME +NAME .*\n20\S+Z +2015-05-17T10:05:03Z +click .*\n$/);
    expect(atGrpc).toMatchObject({ exitCode: 1, stdout: "" });
    expect(atGrpc.stderr).toMatch(/^http:\S+ is for gRPC alone \(HTTP 415\): SLUICE_URL has to name the HTTP port\n$/);
    expect(atNothing).toMatchObject({ exitCode: 1, stdout: "" });
    expect(atNothing.stderr).toMatch(/\(FILTER_INVALID\)\n$/);
  });
});

describe("sluice get", () => {
  it("prints events by their ids or a cursor, and exits with 1 when one is not there", async () => {
    await importEvents("order-1", "order-2");

    const one = await runSluice(sluice, ["get", "order-1"]);
    const some = await runSluice(sluice, ["get", "order-2", "order-3", "order-1"]);
    const { cursor } = JSON.parse(one.stdout);
    const byCursor = await runSluice(sluice, ["get", "--cursor", cursor]);

    expect(one).toMatchObject({ exitCode: 0, stderr: "" });
    expect(byCursor).toEqual(one);
    expect(some.exitCode).toBe(1);
    expect(idsIn(some.stdout)).toEqual(["order-2", "order-1"]);
    expect(some.stderr).toMatch(/^no event with the id order-3 .*\n$/);
  });
});

describe("sluice limits", () => {
  it("says what bounds the project, to read and as JSON", async () => {
    await importEvents("counted");

    const text = await runSluice(sluice, ["limits"]);
    const json = await runSluice(sluice, ["limits", "--json"]);

    const { eventCount, callLimits } = JSON.parse(json.stdout);
    expect(Number(eventCount)).toBeGreaterThan(0);
    expect(callLimits.pageSizeMax).toBe("1000");
    expect(text).toMatchObject({ exitCode: 0, stderr: "" });
    expect(text.stdout).toMatch(new RegExp(`^ {2}events +${Number(eventCount)}, no limit$`, "m"));
  });
});

describe("sluice list", () => {
  it("refuses an argument that is not UTF-8", async () => {
    const inLatin1 = ["-c", 'exec "$0" list --name "$(printf "caf\\351")"', join(projectDir, "bin/sluice")];

    const { exitCode, stdout, stderr } = await runCommand("sh", inLatin1, { env: sluice.env });

    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toBe("sluice: an argument is not UTF-8: caf\ufffd\n");
  });
});
