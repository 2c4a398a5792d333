import { createHash } from "node:crypto";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { makeTempFolder } from "./lifetime.ts";
import { type MeasuredProcess, startProcess } from "./process.ts";

/** The Sluice that is measured: the real command. */
export interface Subject {
  readonly server: MeasuredProcess;
  readonly grpcAddress: string;
  readonly httpAddress: string;
  stop(): Promise<void>;
}

/** The rate limit of every project: charged like any other, and never reached. */
export const rateLimit = { events: 1_000_000_000, perMs: 1000 };

/** Starts one that serves these projects, each with its indexed properties, and stores in this Redis. */
export async function startSubject(
  projects: ReadonlyMap<string, readonly string[]>,
  redisSocket: string,
): Promise<Subject> {
  const folder = makeTempFolder("sluice");
  const command = new URL("../../bin/sluice", import.meta.url).pathname;
  const env = {
    SLUICE_DATA_DIR: folder.path,
    SLUICE_CONFIG: writeConfig(folder.path, projects),
    SLUICE_REDIS_URL: redisSocket,
    SLUICE_GRPC_PORT: "0",
    SLUICE_HTTP_PORT: "0",
    SLUICE_LOG_LEVEL: "error",
  };
  const server = await startProcess(command, ["serve"], /ListEvents\n/, { env });
  const grpcAddress = /http:\/\/(\S+) {3}gRPC\n/.exec(server.output)?.[1];
  const httpAddress = /http:\/\/(\S+) {3}Connect/.exec(server.output)?.[1];
  if (grpcAddress === undefined || httpAddress === undefined) throw new Error(`no address in: ${server.output}`);
  return {
    server,
    grpcAddress,
    httpAddress,
    async stop() {
      await server.stop();
      await folder.remove();
    },
  };
}

/** The key of a project. */
export function keyOf(project: string): string {
  return `bench-key-of-${project}`;
}

function writeConfig(folder: string, projects: ReadonlyMap<string, readonly string[]>): string {
  const path = join(folder, "projects.yaml");
  const rateLimits = [{ events: rateLimit.events, per: `${rateLimit.perMs / 1000}s` }];
  const configured = Array.from(projects, ([name, indexedProperties]) => {
    const secret = `sha256:${createHash("sha256").update(keyOf(name)).digest("hex")}`;
    const keys = [{ name: "bench", secret, permissions: ["track", "list"] }];
    return [name, { ...(indexedProperties.length > 0 && { indexedProperties }), rateLimits, keys }];
  });
  // YAML takes JSON.
  writeFileSync(path, JSON.stringify({ projects: Object.fromEntries(configured) }));
  return path;
}
