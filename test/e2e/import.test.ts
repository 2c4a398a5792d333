import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { projectDir, runSluice, useSluice } from "../support/sluice-process.ts";

const sluice = useSluice();
const realEvents = join(projectDir, "test/fixtures/web-requests.ndjson.gz");

beforeAll(() => sluice.start());

describe("sluice import and list, on the real data", () => {
  it("stores 9,999 events once, however often they are imported", async () => {
    const first = await runSluice(sluice, ["import", realEvents]);
    const second = await runSluice(sluice, ["import", realEvents]);

    expect(first.stdout).toMatch(/accepted +9999\nduplicate +0\nrejected +0/);
    expect(second.stdout).toMatch(/accepted +0\nduplicate +9999\nrejected +0/);
    expect([first.exitCode, second.exitCode]).toEqual([0, 0]);
    const { stdout } = await runSluice(sluice, ["list", "--json", "--oldest-first"]);
    const ids = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line).id);
    expect(ids).toEqual(
      Array.from({ length: 9999 + 1 }, (_, i) => `web-${String(i + 1).padStart(5, "0")}`).filter((id) =>
        ids.includes(id),
      ),
    );
    expect(ids).toHaveLength(9999);
  });

  it("shows the 213 events of one name, newest first", async () => {
    const { stdout, stderr } = await runSluice(sluice, ["list", "--name", "not_found", "--json"]);

    const events = stdout
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line));
    expect(events).toHaveLength(213);
    expect(new Set(events.map(({ name }) => name))).toEqual(new Set(["not_found"]));
    const ids = events.map(({ id }) => id);
    expect(ids).toEqual([...ids].sort().reverse());
    expect(stderr).toContain("213 events");
  });

  it("reports bad lines by their number, and stores the others", async () => {
    const lines = [
      '{"id":"ok-1","name":"fine"}',
      "not json",
      '{"id":"bad","name":""}',
      "",
      '{"id":"ok-2","name":"fine"}',
    ];

    const { exitCode, stdout, stderr } = await runSluice(sluice, ["import", "-"], lines.join("\n"));

    expect(exitCode).toBe(1);
    expect(stdout).toMatch(/accepted +2\nduplicate +0\nrejected +1\ninvalid lines +1/);
    expect(stderr + stdout).toMatch(/:2: .*JSON/);
    expect(stderr + stdout).toMatch(/:3: .*name/);
  });
});
