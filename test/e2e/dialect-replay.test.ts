import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { describe, expect, it } from "vitest";
import { digestKey } from "../../src/domain/access.ts";
import { toContent } from "../support/dialect-bodies.ts";
import { contentOf, listAllEvents } from "../support/listed-events.ts";
import { type Replay, readWebRequests, replayDialect, replays } from "../support/replay-dialects.ts";
import { projectDir, runCommand } from "../support/sluice-process.ts";
import { useConfiguredSluice } from "../support/use-configured-sluice.ts";

const webRequests = readWebRequests(join(projectDir, "test/fixtures/web-requests.ndjson.gz"));
const all: [string, Replay][] = Object.entries(replays);

const keyOf = (project: string) => `key-of-${project}`;
const projects = [...all.map(([entrance]) => entrance), "without-ids"].map((project) => {
  const secret = `sha256:${digestKey(keyOf(project))}`;
  return `  ${project}:\n    keys: [{ name: all, secret: "${secret}", permissions: [track, list] }]\n`;
});
const sluice = useConfiguredSluice(`projects:\n${projects.join("")}`);
const targetOf = (project: string) => ({ url: `http://${sluice.httpAddress}`, key: keyOf(project), project });
const listOf = (project: string) => listAllEvents(`http://${sluice.httpAddress}`, keyOf(project));

describe("9,999 real events, replayed by a dialect", () => {
  it.each(all)("are stored and listed, each once and whole: %s", { timeout: 60_000 }, async (entrance, replay) => {
    const { eventCount } = replay;
    const requestCount = Math.ceil(9999 / eventCount);

    const tally = await replayDialect(replay, webRequests, targetOf(entrance), { keyPrefix: `replay-${entrance}` });

    expect(tally).toEqual({ requestCount, storedCount: 9999, refusals: [] });
    const listed = await listOf(entrance);
    expect(listed).toHaveLength(9999);
    expect(new Set(listed.map((event) => event.entrance))).toEqual(new Set([entrance]));
    const byId = new Map(listed.map((event) => [event.id, contentOf(event)]));
    const wrong = webRequests.filter((webRequest, i) => {
      const id = `replay-${entrance}-${Math.floor(i / eventCount)}/${i % eventCount}`;
      return !isDeepStrictEqual(byId.get(id), toContent(replay.adapt(webRequest)));
    });
    expect(wrong).toEqual([]);
  });

  it("are stored no second time by a replay of the script", { timeout: 60_000 }, async () => {
    const before = await listOf("split");
    const { url, key } = targetOf("split");
    const args = ["test/support/replay-dialects.ts", "--url", url, "--key", key, "--dialect", "split"];

    const { exitCode, stdout, stderr } = await runCommand(process.execPath, args);

    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toMatch(/^split: 9999 of 9999 events stored, 20 requests, \d+\.\d s\n$/);
    expect(await listOf("split")).toEqual(before);
  });

  it("are stored once for each content by Bloomreach's batch without ids", { timeout: 60_000 }, async () => {
    const target = targetOf("without-ids");
    const contents = new Set(webRequests.map((event) => JSON.stringify(replays.bloomreach.adapt(event))));
    expect(contents.size).toBeLessThan(9999);

    const tally = await replayDialect(replays.bloomreach, webRequests, target, {});

    expect(tally).toMatchObject({ storedCount: 9999, refusals: [] });
    const listed = await listOf("without-ids");
    expect(listed).toHaveLength(contents.size);
  });
});
