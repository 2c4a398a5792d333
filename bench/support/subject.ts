import { createHash } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MeasuredProcess } from "./process.ts";
import { startProcess } from "./process.ts";

/** The Sluice that is measured: the real command, on the durable profile, with data of its own. */
export interface Subject {
  readonly server: MeasuredProcess;
  readonly grpcAddress: string;
  readonly httpAddress: string;
  /** Of the development project, when it serves that. */
  readonly key: string;
  /** Of its Redis; the baselines use the same one. */
  readonly redisSocket: string;
  stop(): Promise<void>;
}

export interface SubjectOptions {
  /** What it serves, by name, each with the properties that are indexed. Default: the development project only. */
  readonly projects?: ReadonlyMap<string, readonly string[]>;
  /** Where its Redis is. Default: it embeds one. */
  readonly redisSocket?: string;
}

export async function startSubject({ projects, redisSocket }: SubjectOptions = {}): Promise<Subject> {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const key = keyOf("dev");
  const command = new URL("../../bin/sluice", import.meta.url).pathname;
  const server = await startProcess(command, ["serve"], /ListEvents\n/, {
    SLUICE_DATA_DIR: dataDir,
    ...(projects === undefined ? { SLUICE_DEV_KEY: key } : { SLUICE_CONFIG: writeConfig(dataDir, projects) }),
    ...(redisSocket !== undefined && { SLUICE_REDIS_URL: redisSocket }),
    SLUICE_GRPC_PORT: "0",
    SLUICE_HTTP_PORT: "0",
    SLUICE_LOG_LEVEL: "error",
  });
  const grpcAddress = /http:\/\/(\S+) {3}gRPC\n/.exec(server.output)?.[1];
  const httpAddress = /http:\/\/(\S+) {3}Connect/.exec(server.output)?.[1];
  if (grpcAddress === undefined || httpAddress === undefined) throw new Error(`no address in: ${server.output}`);
  return {
    server,
    grpcAddress,
    httpAddress,
    key,
    redisSocket: redisSocket ?? join(dataDir, "redis.sock"),
    async stop() {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}

/** The key of a project. */
export function keyOf(project: string): string {
  return `bench-key-of-${project}`;
}

function writeConfig(dataDir: string, projects: ReadonlyMap<string, readonly string[]>): string {
  const path = join(dataDir, "projects.yaml");
  const configured = Array.from(projects, ([name, indexedProperties]) => {
    const secret = `sha256:${createHash("sha256").update(keyOf(name)).digest("hex")}`;
    return [name, { indexedProperties, keys: [{ name: "bench", secret, permissions: ["track", "list"] }] }];
  });
  // YAML takes JSON.
  writeFileSync(path, JSON.stringify({ projects: Object.fromEntries(configured) }));
  return path;
}
