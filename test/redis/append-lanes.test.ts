import { describe, expect, it } from "vitest";
import { projectKeys } from "../../src/redis/keys.ts";
import { eventToAppend, newProject } from "../support/events.ts";
import { endsOf, openEventLog } from "../support/open-event-log.ts";
import { useRedis } from "../support/use-redis.ts";
import { waitUntil } from "../support/wait-until.ts";

const redis = useRedis();

const laneCount = 3;
const open = () => openEventLog(redis.socketPath, { outageWaitMs: 0 }, redis.socketPath, laneCount);

describe("connections that append", () => {
  it("are shared out among the projects, each of which keeps to one", async () => {
    await using opened = await open();
    const { append, writeConnections } = opened;
    const projects = Array.from({ length: 2 * laneCount }, () => newProject());
    const lanes: string[][] = [];
    for (const connection of writeConnections) {
      const used: string[] = [];
      lanes.push(used);
      const send = connection.sendCommand.bind(connection);
      connection.sendCommand = (command, stream) => {
        if (/^evalsha$/i.test(command.name)) used.push(String(command.args[2]));
        return send(command, stream);
      };
    }

    for (const round of [1, 2]) for (const project of projects) await append(project, [eventToAppend(`${round}`)]);

    const expected = [0, 1, 2].map((lane) =>
      [projects[lane], projects[lane + laneCount], projects[lane], projects[lane + laneCount]].map((project) =>
        project === undefined ? "" : projectKeys(project.name).events,
      ),
    );
    expect(lanes.map((used) => used.toSorted())).toEqual(expected.map((used) => used.toSorted()));
  });

  it("fail only their own projects when one is lost", async () => {
    await using opened = await open();
    const { append, writeConnections } = opened;
    const projects = Array.from({ length: laneCount }, () => newProject());
    const appendToAll = (id: string) =>
      Promise.all(projects.map(async (project) => endsOf(await append(project, [eventToAppend(id)]))));
    expect(await appendToAll("before")).toEqual([["accepted"], ["accepted"], ["accepted"]]);

    writeConnections[1]?.disconnect();
    await waitUntil(() => writeConnections[1]?.status === "end");

    expect(await appendToAll("after")).toEqual([["accepted"], ["STORAGE_UNAVAILABLE"], ["accepted"]]);
  });

  it("wait for one that is silent no longer than its commands may take", async () => {
    const limits = { chunkEvents: 1, totalChunksInFlight: 1, resolveWaitMs: 60_000 };
    await using opened = await openEventLog(redis.socketPath, limits, redis.socketPath, laneCount);
    const { append, log, writeConnections } = opened;
    const projects = Array.from({ length: laneCount }, () => newProject());
    const [first, second] = projects;
    if (first === undefined || second === undefined) throw new Error("there are fewer projects");
    for (const project of projects) await append(project, [eventToAppend("before")]);
    const [silent] = writeConnections;
    const disconnect = silent?.disconnect.bind(silent);
    if (silent === undefined || disconnect === undefined) throw new Error("there is no connection");
    silent.stream.pause();
    silent.disconnect = () => disconnect(false);

    const inDoubt = append(first, [eventToAppend("after")]);

    expect(endsOf(await append(second, [eventToAppend("after")]))).toEqual(["accepted"]);
    log.giveUp();
    expect(endsOf(await inDoubt)).toEqual(["OUTCOME_UNKNOWN"]);
  });
});
