import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { MeasuredProcess } from "./process.ts";
import { startProcess } from "./process.ts";

/** The Sluice that is measured: the real command, on the durable profile, with data of its own. */
export interface Subject {
  readonly server: MeasuredProcess;
  readonly grpcAddress: string;
  readonly key: string;
  /** Of its embedded Redis; the baselines use the same one. */
  readonly redisSocket: string;
  stop(): Promise<void>;
}

export async function startSubject(): Promise<Subject> {
  const dataDir = mkdtempSync(join(tmpdir(), "sluice-bench-"));
  const key = "bench-key-0123456789";
  const command = new URL("../../bin/sluice", import.meta.url).pathname;
  const server = await startProcess(command, ["serve"], /ListEvents\n/, {
    SLUICE_DATA_DIR: dataDir,
    SLUICE_DEV_KEY: key,
    SLUICE_GRPC_PORT: "0",
    SLUICE_HTTP_PORT: "0",
    SLUICE_LOG_LEVEL: "warn",
  });
  const grpcAddress = /http:\/\/(\S+) {3}gRPC\n/.exec(server.output)?.[1];
  if (grpcAddress === undefined) throw new Error(`no gRPC address in: ${server.output}`);
  return {
    server,
    grpcAddress,
    key,
    redisSocket: join(dataDir, "redis.sock"),
    async stop() {
      await server.stop();
      rmSync(dataDir, { recursive: true, force: true });
    },
  };
}
