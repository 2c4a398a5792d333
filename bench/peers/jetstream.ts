import { execFileSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { jetstream, jetstreamManager, RetentionPolicy, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";
import type { Peer } from "../support/absent.ts";
import type { Absent } from "../support/compare.ts";
import { findProgram, versionOf } from "../support/find-program.ts";
import { makeTempFolder } from "../support/lifetime.ts";
import { startProcess } from "../support/process.ts";
import { takeEncodedEvents } from "../support/real-events.ts";
import { runCallers } from "../support/run-callers.ts";
import { createSupply } from "../support/supply.ts";

/** When JetStream syncs its files: every two minutes unless told otherwise, or before each answer, as Sluice does. */
export type Sync = "default" | "always";

const publishesInFlight = 512;

/** NATS JetStream with `Nats-Msg-Id`, published to straight from this process: an event a message. */
export async function startJetStream(sync: Sync): Promise<Peer | Absent> {
  const settings = `Nats-Msg-Id, ${sync === "default" ? "default sync" : "sync_interval: always"}`;
  const program = findProgram("nats-server");
  if (program === undefined) return { name: `JetStream, ${settings}`, isMissing: "nats-server is not installed" };
  const name = `JetStream ${versionOf(program)}, ${settings}`;
  const folder = makeTempFolder("nats");
  const config = join(folder.path, "nats.conf");
  const syncInterval = sync === "always" ? "sync_interval: always" : "";
  writeFileSync(
    config,
    `listen: "127.0.0.1:-1"\njetstream { store_dir: ${JSON.stringify(folder.path)}\n${syncInterval} }\n`,
  );
  const fault = findConfigFault(program, config);
  if (fault !== undefined) {
    await folder.remove();
    return { name, isMissing: fault };
  }
  const server = await startProcess(program, ["-c", config], /Server is ready/, { readyOn: "stderr" });
  const address = /client connections on (\S+)/.exec(server.output)?.[1] ?? "";
  const connection = await connect({ servers: address });
  const streams = await jetstreamManager(connection);
  await streams.streams.add({
    name: "events",
    subjects: ["events"],
    storage: StorageType.File,
    retention: RetentionPolicy.Limits,
  });
  const publisher = jetstream(connection);
  const supply = createSupply(takeEvent);
  return {
    name,
    server,
    prepare: supply.refill,
    run: (forMs) =>
      runCallers(publishesInFlight, forMs, async () => {
        const { id, bytes } = supply.take();
        const { duplicate } = await publisher.publish("events", bytes, { msgID: id });
        if (duplicate) throw new Error(`${id} is a duplicate`);
        return 1;
      }),
    async verify(done) {
      const { state } = await streams.streams.info("events");
      if (state.messages !== done) throw new Error(`JetStream has ${state.messages} messages, ${done} were counted`);
    },
    async stop() {
      await connection.close();
      await server.stop();
      await folder.remove();
    },
  };
}

function takeEvent() {
  const [event] = takeEncodedEvents(1);
  if (event === undefined) throw new Error("no event");
  return event;
}

/** Why this nats-server cannot run with the file: one that is older than 2.10 knows no `sync_interval`. */
function findConfigFault(program: string, config: string): string | undefined {
  try {
    execFileSync(program, ["-t", "-c", config], { stdio: "pipe" });
    return undefined;
  } catch (error) {
    const said = error instanceof Error && "stderr" in error ? String(error.stderr) : String(error);
    const unknown = /unknown field "\w+"/.exec(said)?.[0];
    if (unknown === undefined) throw error;
    return `nats-server says: ${unknown}`;
  }
}
