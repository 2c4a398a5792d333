import { afterAll, afterEach, beforeAll, beforeEach, expect } from "vitest";
import type { CallRecord } from "../../src/call-log.ts";
import { createAccess } from "../../src/domain/access.ts";
import type { ServingStatus } from "../../src/domain/ports.ts";
import type { HttpLimits } from "../../src/http/app.ts";
import { startHttpServer } from "../../src/http/app.ts";
import type { Listener } from "../../src/http/listener.ts";
import type { ConnectLimits } from "../../src/rpc/connect-routes.ts";
import { createConnectRoutes } from "../../src/rpc/connect-routes.ts";
import type { TlsIdentity } from "../../src/tls/tls-identity.ts";
import { captureLog } from "./captured-log.ts";
import { newProject } from "./events.ts";
import { type FakeEventHandlers, fakeEventHandlers, silentTail, storedEvent } from "./fake-event-handlers.ts";
import { noDialects } from "./no-dialects.ts";
import { testGrants } from "./test-keys.ts";
import { useCrashWatch } from "./use-crash-watch.ts";
import { waitUntil } from "./wait-until.ts";

/** A server on a free port of the loopback, with handlers that store nothing. */
export interface TestHttpServer {
  readonly port: number;
  readonly url: string;
  readonly handlers: FakeEventHandlers;
  /** What the call log got. */
  readonly records: CallRecord[];
  /** Resolves when no call is being served. */
  settled(): Promise<void>;
  /** The record of the only call since the test began, when it has ended. */
  onlyRecord(): Promise<CallRecord>;
  setServing(isServing: boolean): void;
  shutDown(): void;
  close(graceMs?: number): Promise<void>;
}

export { testKey } from "./test-keys.ts";

export interface TestLimits {
  readonly http?: Partial<HttpLimits>;
  readonly connect?: Partial<ConnectLimits>;
  readonly tls?: TlsIdentity;
}

/** Starts a server; whoever does has to close it. */
export async function startTestServer(limits: TestLimits = {}): Promise<TestHttpServer> {
  const handlers = fakeEventHandlers();
  const records: CallRecord[] = [];
  const shutdown = new AbortController();
  const serving = fakeServing();
  const grants = testGrants({ ...newProject(), name: "test" });
  const access = createAccess(() => grants);
  const callLog = { record: (call: CallRecord) => void records.push(call), countOutcomes() {}, stop() {} };
  const calls = createConnectRoutes({
    handlers,
    access,
    callLog,
    serving: serving.status,
    shutdown: shutdown.signal,
    ...(limits.connect && { limits: limits.connect }),
  });
  let inFlight = 0;
  const listener: Listener = await startHttpServer({
    host: "127.0.0.1",
    port: 0,
    calls: {
      accepts: calls.accepts,
      async handle(request, response) {
        inFlight++;
        await calls.handle(request, response);
        inFlight--;
      },
    },
    dialects: noDialects,
    serving: serving.status,
    logger: captureLog().logger,
    tls: limits.tls,
    ...(limits.http && { limits: limits.http }),
  });
  return {
    port: listener.port,
    url: `${limits.tls ? "https" : "http"}://127.0.0.1:${listener.port}`,
    handlers,
    records,
    async settled() {
      await waitUntil(() => inFlight === 0);
    },
    async onlyRecord() {
      const record = await waitUntil(() => records[0]);
      expect(records).toHaveLength(1);
      return record;
    },
    setServing: serving.set,
    shutDown: () => shutdown.abort(),
    close: (graceMs = 5000) => listener.close(graceMs),
  };
}

/** A server for all tests of a file; each test begins with clean handlers and records. */
export function useHttpServer(limits: TestLimits = {}): () => TestHttpServer {
  useCrashWatch();
  let server: TestHttpServer | undefined;
  beforeAll(async () => {
    server = await startTestServer(limits);
  });
  beforeEach(() => {
    const { handlers, records } = use();
    handlers.calls.length = 0;
    handlers.failure = undefined;
    handlers.isSilent = false;
    handlers.earlyAnswer = undefined;
    handlers.quotas = [];
    handlers.retryDelayMs = undefined;
    handlers.page = { events: [], nextPageToken: "" };
    handlers.event = storedEvent;
    handlers.tail = silentTail;
    handlers.rejectedPage = {};
    handlers.limits = {};
    records.length = 0;
  });
  // A call's record comes after its answer.
  afterEach(() => use().settled());
  afterAll(() => server?.close());
  const use = () => {
    if (server === undefined) throw new Error("the server has not started");
    return server;
  };
  return use;
}

function fakeServing(): { status: ServingStatus; set(isServing: boolean): void } {
  let serving = true;
  const listeners = new Set<(isServing: boolean) => void>();
  return {
    status: {
      isServing: () => serving,
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
    },
    set(isServing) {
      serving = isServing;
      for (const listener of listeners) listener(isServing);
    },
  };
}
