import { readFileSync } from "node:fs";
import { Agent, request } from "node:http";
import { parseArgs } from "node:util";
import { gunzipSync } from "node:zlib";
import type { JsonValue } from "@bufbuild/protobuf";
import { dialectBodies, type SayableEvent } from "./dialect-bodies.ts";

/** Where events go. */
export interface ReplayTarget {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
  readonly project: string;
}

/** What came of a replay. */
export interface ReplayTally {
  readonly requestCount: number;
  /** Of the events that were answered as stored, those that had been stored before included. */
  readonly storedCount: number;
  /** Answers to requests of which an event was not stored; the first ten. */
  readonly refusals: readonly string[];
}

/** How a dialect is sent events. */
export interface Replay {
  /** Of a request. */
  readonly eventCount: number;
  /** Requests under way at a time. */
  readonly concurrency: number;
  path(project: string): string;
  /** The event as far as the dialect can say it. */
  adapt(event: SayableEvent): SayableEvent;
  body(events: readonly SayableEvent[]): JsonValue;
  /** Whether an answer says that all events of a request are stored. */
  isStored(status: number, body: string): boolean;
}

/** The dialects that events are replayed by, each in its bulkiest form. */
export const replays = {
  split: {
    eventCount: 500,
    concurrency: 4,
    path: () => "/api/events/bulk",
    adapt: (event) => event,
    body: (events) => events.map(dialectBodies.split),
    isStored: (status) => status === 202,
  },
  dx: {
    eventCount: 1,
    concurrency: 64,
    path: () => "/events.track",
    // Visitors have no e-mail address. One has more than a kilobyte of properties.
    adapt: ({ value: _value, identities, properties, ...event }) => ({
      ...event,
      identities: { github_username: String(identities.visitor) },
      properties: Buffer.byteLength(JSON.stringify(properties)) > 1024 ? { ...properties, referrer: "" } : properties,
    }),
    body: ([event]) => (event === undefined ? null : dialectBodies.dx(event)),
    isStored: (status, body) => status === 200 && JSON.parse(body).ok === true,
  },
  bloomreach: {
    eventCount: 50,
    concurrency: 16,
    path: (project) => `/track/v2/projects/${project}/batch`,
    adapt: ({ value: _value, ...event }) => event,
    body: (events) => ({
      commands: events.map((event) => ({ name: "customers/events", data: dialectBodies.bloomreach(event) })),
    }),
    isStored: (status, body) =>
      status === 200 && JSON.parse(body).results.every(({ success }: { success: unknown }) => success === true),
  },
  oppizi: {
    eventCount: 1,
    concurrency: 64,
    path: () => "/tracking/events",
    adapt: ({ timeMs: _timeMs, identities, value = 0, properties, ...event }) => ({
      ...event,
      identities: { user: String(identities.visitor) },
      value,
      properties: Object.fromEntries(
        Object.entries(properties).map(([key, one]) => [key, typeof one === "string" ? cut(one, 256) : one]),
      ),
    }),
    body: ([event]) => (event === undefined ? null : dialectBodies.oppizi(event)),
    isStored: (status) => status === 200 || status === 201,
  },
} as const satisfies Readonly<Record<string, Replay>>;

/** The web requests of a gzipped NDJSON file of events in Sluice's JSON form. */
export function readWebRequests(path: string): SayableEvent[] {
  const lines = gunzipSync(readFileSync(path)).toString("utf8").trim().split("\n");
  return lines.map((line) => {
    const { name, identities, time, value, properties } = JSON.parse(line);
    return { name, identities, timeMs: Date.parse(time), ...(value === undefined ? {} : { value }), properties };
  });
}

/**
 * Sends events by a dialect. With a `keyPrefix`, each request has an `Idempotency-Key` made of that and its number, so
 * that a second replay stores nothing. Rejects when the server cannot be reached.
 */
export async function replayDialect(
  replay: Replay,
  events: readonly SayableEvent[],
  target: ReplayTarget,
  options: { readonly keyPrefix?: string; readonly onProgress?: (eventCount: number) => void },
): Promise<ReplayTally> {
  const { eventCount, concurrency } = replay;
  const url = `${target.url}${replay.path(target.project)}`;
  const agent = new Agent({ keepAlive: true, maxSockets: concurrency });
  const refusals: string[] = [];
  const requestCount = Math.ceil(events.length / eventCount);
  let next = 0;
  let storedCount = 0;

  async function work(): Promise<void> {
    while (next < requestCount) {
      const index = next++;
      const slice = events.slice(index * eventCount, (index + 1) * eventCount);
      const body = JSON.stringify(replay.body(slice.map(replay.adapt)));
      const answer = await post(url, agent, body, {
        authorization: `Bearer ${target.key}`,
        "content-type": "application/json",
        ...(options.keyPrefix !== undefined && { "idempotency-key": `${options.keyPrefix}-${index}` }),
      });
      if (replay.isStored(answer.status, answer.body)) storedCount += slice.length;
      else if (refusals.length < 10) refusals.push(`${answer.status} ${answer.body.slice(0, 500)}`);
      options.onProgress?.(slice.length);
    }
  }

  try {
    await Promise.all(Array.from({ length: concurrency }, work));
  } finally {
    agent.destroy();
  }
  return { requestCount, storedCount, refusals };
}

interface PostAnswer {
  readonly status: number;
  readonly body: string;
}

function post(url: string, agent: Agent, body: string, headers: Record<string, string>): Promise<PostAnswer> {
  return new Promise((resolve, reject) => {
    const length = { "content-length": String(Buffer.byteLength(body)) };
    request(url, { method: "POST", agent, headers: { ...headers, ...length } }, async (response) => {
      try {
        const text = Buffer.concat(await response.toArray()).toString("utf8");
        resolve({ status: response.statusCode ?? 0, body: text });
      } catch (error) {
        reject(error);
      }
    })
      .on("error", reject)
      .end(body);
  });
}

/** The first characters of a text; characters are code points. */
function cut(text: string, length: number): string {
  return text.length <= length ? text : [...text].slice(0, length).join("");
}

const usage = `node test/support/replay-dialects.ts --url http://127.0.0.1:8080 --key <key>
  [--project dev] [--file test/fixtures/web-requests.ndjson.gz] [--dialect split|dx|bloomreach|oppizi] [--run <text>]
Sends the events of a file by each dialect. Another --run stores them again.
`;

async function run(): Promise<void> {
  const { values } = parseArgs({
    options: {
      url: { type: "string", default: "http://127.0.0.1:8080" },
      key: { type: "string" },
      project: { type: "string", default: "dev" },
      file: { type: "string", default: new URL("../fixtures/web-requests.ndjson.gz", import.meta.url).pathname },
      dialect: { type: "string" },
      run: { type: "string", default: "replay" },
    },
  });
  const { url, key, project, file, dialect, run: keyPrefix } = values;
  const chosen = Object.entries(replays).filter(([entrance]) => dialect === undefined || entrance === dialect);
  if (key === undefined || chosen.length === 0) {
    process.stderr.write(usage);
    process.exitCode = 2;
    return;
  }
  const events = readWebRequests(file);
  for (const [entrance, replay] of chosen) {
    const startMs = performance.now();
    let sent = 0;
    const tally = await replayDialect(
      replay,
      events,
      { url, key, project },
      {
        keyPrefix: `${keyPrefix}-${entrance}`,
        onProgress(count) {
          sent += count;
          if (process.stderr.isTTY) process.stderr.write(`\r${entrance}: ${sent} of ${events.length} events`);
        },
      },
    );
    const seconds = (performance.now() - startMs) / 1000;
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[K");
    const stored = `${tally.storedCount} of ${events.length} events stored`;
    process.stdout.write(`${entrance}: ${stored}, ${tally.requestCount} requests, ${seconds.toFixed(1)} s\n`);
    for (const refusal of tally.refusals) process.stderr.write(`  ${refusal}\n`);
    if (tally.storedCount < events.length) process.exitCode = 1;
  }
}

if (import.meta.main) await run();
