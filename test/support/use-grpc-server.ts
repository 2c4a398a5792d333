import { afterEach } from "vitest";
import type { CallRecord } from "../../src/call-log.ts";
import { createAccess } from "../../src/domain/access.ts";
import { createGetEvent } from "../../src/domain/get-event.ts";
import { createGetLimits } from "../../src/domain/get-limits.ts";
import { createListEvents } from "../../src/domain/list-events.ts";
import type { RejectedPage } from "../../src/domain/list-rejected-events.ts";
import { createPageTokens } from "../../src/domain/page-token.ts";
import type { Project, ProjectSettings } from "../../src/domain/project.ts";
import { createTailEvents } from "../../src/domain/tail-events.ts";
import { createTrack } from "../../src/domain/track.ts";
import type { EventHandlers } from "../../src/rpc/event-service.ts";
import { createEventHandlers } from "../../src/rpc/event-service.ts";
import type { GrpcServer, GrpcServerLimits } from "../../src/rpc/grpc-server.ts";
import { startGrpcServer } from "../../src/rpc/grpc-server.ts";
import { createServing } from "../../src/serving.ts";
import type { TlsIdentity } from "../../src/tls/tls-identity.ts";
import { newProject } from "./events.ts";
import type { FakeEventLog } from "./fake-event-log.ts";
import { createFakeEventLog } from "./fake-event-log.ts";
import { testGrants } from "./test-keys.ts";
import { useCrashWatch } from "./use-crash-watch.ts";

/** A gRPC server on a free port of the loopback, over the real handlers and a log in memory. */
export interface TestGrpcServer extends GrpcServer {
  readonly log: FakeEventLog;
  readonly project: Project;
  /** What the call log got. */
  readonly records: readonly CallRecord[];
  setServing(isServing: boolean): void;
  /** Cuts the streams, as the beginning of a shutdown does. */
  shutDown(): void;
}

export interface TestGrpcOptions {
  readonly limits?: Partial<GrpcServerLimits>;
  readonly streamIdleMs?: number;
  readonly host?: string;
  readonly port?: number;
  readonly tls?: TlsIdentity;
  /** Of the project. */
  readonly settings?: Partial<ProjectSettings>;
  /** What ListRejectedEvents finds. */
  readonly rejected?: RejectedPage;
  /** Instead of the real ones. */
  readonly handlers?: EventHandlers;
}

export { testKey } from "./test-keys.ts";

/** Starts servers, which are closed after each test; a test fails when something was thrown that nobody caught. */
export function useGrpcServers(): (options?: TestGrpcOptions) => Promise<TestGrpcServer> {
  useCrashWatch();
  const started: GrpcServer[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((server) => server.close(0)));
  });
  return async (options = {}) => {
    const server = await start(options);
    started.push(server);
    return server;
  };
}

async function start(options: TestGrpcOptions): Promise<TestGrpcServer> {
  const { limits = {}, streamIdleMs = 60_000, host = "127.0.0.1", port = 0, tls } = options;
  const log = createFakeEventLog();
  const project = newProject(options.settings);
  const grants = testGrants(project);
  const records: CallRecord[] = [];
  const shutdown = new AbortController();
  let isServing = true;
  const serving = createServing(() => isServing);
  const pageTokens = createPageTokens(() => Buffer.alloc(32, 1));
  const clock = { nowMs: () => Date.UTC(2026, 0, 31), wait: async () => {} };
  const realHandlers = createEventHandlers({
    track: createTrack({ log, clock }),
    listEvents: createListEvents(log, pageTokens),
    getEvent: createGetEvent(log),
    tailEvents: createTailEvents({ log, clock, shutdown: shutdown.signal }),
    listRejectedEvents: async () => options.rejected ?? { events: [], nextPageToken: "", omittedCount: 0 },
    getLimits: createGetLimits(log),
    shutdown: shutdown.signal,
    streamIdleMs,
  });
  const server = await startGrpcServer({
    host,
    port,
    handlers: options.handlers ?? realHandlers,
    access: createAccess(() => grants),
    callLog: { record: (call) => void records.push(call), countOutcomes() {}, stop() {} },
    serving,
    limits,
    tls,
  });
  return {
    ...server,
    log,
    project,
    records,
    setServing(value) {
      isServing = value;
      serving.update();
    },
    shutDown: () => shutdown.abort(),
  };
}
