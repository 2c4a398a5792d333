import { execFileSync } from "node:child_process";
import { chownSync } from "node:fs";
import { join } from "node:path";
import { Client } from "pg";
import { findProgram, versionOf } from "../support/find-program.ts";
import { makeTempFolder } from "../support/lifetime.ts";
import { type MeasuredProcess, startProcess } from "../support/process.ts";

/** A PostgreSQL with default settings, fsync among them, and an empty table `events` of ids and events. */
export interface Postgres extends MeasuredProcess {
  readonly version: string;
  connect(): Promise<Client>;
}

const debianFolders = "/usr/lib/postgresql/*/bin";
/** Of a role as which the database is made. */
const user = "bench";

/** Starts one, on a unix socket. Resolves with undefined when it is not installed. */
export async function startPostgres(): Promise<Postgres | undefined> {
  const initdb = findProgram("initdb", debianFolders);
  const postgres = findProgram("postgres", debianFolders);
  if (initdb === undefined || postgres === undefined) return undefined;
  const folder = makeTempFolder("postgres");
  const owner = findOwner();
  if (owner !== undefined) chownSync(folder.path, owner.uid, owner.gid);
  const dataDir = join(folder.path, "data");
  const runAs = { ...owner, cwd: folder.path };
  const makeArgs = ["-D", dataDir, "-U", user, "--auth=trust", "--encoding=UTF8", "--locale=C"];
  execFileSync(initdb, makeArgs, { ...runAs, stdio: ["ignore", "ignore", "inherit"] });
  const args = ["-D", dataDir, "-k", folder.path, "-c", "listen_addresses="];
  const server = await startProcess(postgres, args, /ready to accept connections/, {
    readyOn: "stderr",
    cwd: folder.path,
    ...(owner && { user: owner }),
    // Without waiting for those who are connected.
    stopSignal: "SIGINT",
  });
  const connect = async () => {
    const client = new Client({ host: folder.path, user, database: "postgres" });
    await client.connect();
    return client;
  };
  const client = await connect();
  await client.query("CREATE TABLE events (id text NOT NULL, event bytea NOT NULL)");
  await client.query("CREATE UNIQUE INDEX events_id ON events (id)");
  await client.end();
  return {
    ...server,
    version: versionOf(postgres),
    connect,
    async stop() {
      await server.stop();
      await folder.remove();
    },
  };
}

/** It refuses to run as root; then it runs as the user that its package has made. */
function findOwner(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string) => Number(execFileSync("id", [flag, "postgres"]).toString());
  return { uid: idOf("-u"), gid: idOf("-g") };
}
