import { afterEach } from "vitest";
import type { CallRecord } from "../../src/call-log.ts";
import { createAccess } from "../../src/domain/access.ts";
import { SluiceError } from "../../src/domain/errors.ts";
import { createGetEvent } from "../../src/domain/get-event.ts";
import type { ListEvents } from "../../src/domain/list-events.ts";
import { createListEvents } from "../../src/domain/list-events.ts";
import { createPageTokens } from "../../src/domain/page-token.ts";
import type { Project, ProjectSettings } from "../../src/domain/project.ts";
import { createTrack } from "../../src/domain/track.ts";
import type { HttpLimits } from "../../src/http/app.ts";
import { startHttpServer } from "../../src/http/app.ts";
import type { Dialect } from "../../src/http/dialect.ts";
import type { DialectRoutesDeps } from "../../src/http/dialect-routes.ts";
import { dialects } from "../../src/http/dialects.ts";
import type { Listener } from "../../src/http/listener.ts";
import { captureLog } from "./captured-log.ts";
import { newProject } from "./events.ts";
import { createFakeClock } from "./fake-clock.ts";
import type { FakeEventLog } from "./fake-event-log.ts";
import { createFakeEventLog } from "./fake-event-log.ts";
import { testGrants } from "./test-keys.ts";
import { useCrashWatch } from "./use-crash-watch.ts";

/** A server on a free port of the loopback that speaks dialects, over a log in memory. */
export interface DialectTestServer {
  readonly port: number;
  readonly url: string;
  readonly log: FakeEventLog;
  readonly project: Project;
  /** What the call log got. */
  readonly records: readonly CallRecord[];
}

export interface DialectTestOptions {
  /** Default: those that Sluice has. */
  readonly dialects?: readonly Dialect[];
  readonly limits?: Partial<HttpLimits>;
  /** Of the project. */
  readonly settings?: Partial<ProjectSettings>;
  /** Whether it has not yet opened its storage. */
  readonly isStarting?: boolean;
  /** Instead of the real one. */
  readonly listEvents?: ListEvents;
  /** Of bodies, with a key and without. */
  readonly budgets?: Pick<DialectRoutesDeps, "bodyBytesMax" | "keylessBodyBytesMax">;
}

/** Starts servers, which are closed after each test; a test fails when something was thrown that nobody caught. */
export function useDialects(): (options?: DialectTestOptions) => Promise<DialectTestServer> {
  useCrashWatch();
  const started: Listener[] = [];
  afterEach(async () => {
    await Promise.all(started.splice(0).map((listener) => listener.close(0)));
  });
  return async (options = {}) => {
    const log = createFakeEventLog();
    const project = newProject(options.settings);
    const grants = testGrants(project);
    const records: CallRecord[] = [];
    const clock = createFakeClock();
    const pageTokens = createPageTokens(() => Buffer.alloc(32, 1));
    const services = {
      track: createTrack({ log, clock }),
      listEvents: options.listEvents ?? createListEvents(log, pageTokens),
      getEvent: createGetEvent(log),
    };
    const listener = await startHttpServer({
      host: "127.0.0.1",
      port: 0,
      calls: { accepts: () => false, handle: async () => {} },
      dialects: {
        ...options.budgets,
        dialects: options.dialects ?? dialects,
        services() {
          if (options.isStarting === true) throw new SluiceError("STORAGE_UNAVAILABLE", "the server is starting");
          return services;
        },
        access: createAccess(() => grants),
        callLog: { record: (call) => void records.push(call), countOutcomes() {}, stop() {} },
        clock,
      },
      serving: { isServing: () => true, subscribe: () => () => {} },
      logger: captureLog().logger,
      ...(options.limits && { limits: options.limits }),
    });
    started.push(listener);
    return { port: listener.port, url: `http://127.0.0.1:${listener.port}`, log, project, records };
  };
}
