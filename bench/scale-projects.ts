import { readAcceptedCount } from "./support/batch-streams.ts";
import { type Contender, compare } from "./support/compare.ts";
import { createBytesClient } from "./support/grpc-client.ts";
import type { ReadSubject } from "./support/read-subject.ts";
import type { Row } from "./support/row.ts";
import { runCallers } from "./support/run-callers.ts";
import { toScaleRow } from "./support/scale-row.ts";
import { keyOf } from "./support/subject.ts";
import { createSupply } from "./support/supply.ts";
import { takeBatchRequest } from "./support/track-request.ts";

const eventsPerMessage = 100;
const callers = 16;
const roundMs = 2000;
const touchMaxMs = 120_000;
const counts = [1, 100, 10_000] as const;

/** The projects that are tracked to in turn: as many as the most are. */
export const turnProjects: readonly string[] = Array.from({ length: Math.max(...counts) }, (_, i) => `turn-${i}`);

/** What an event of TrackBatch costs when each message is of another project, to when all are of one. */
export async function benchProjects(subject: ReadSubject): Promise<Row[]> {
  const client = createBytesClient(subject.grpcAddress, "");
  const messages = createSupply(() => takeBatchRequest(eventsPerMessage));

  /** A stream for each message, since a stream has one key. */
  async function send(project: string): Promise<number> {
    const unsent = [messages.take()];
    const answer = await client.stream(() => unsent.pop(), keyOf(project));
    const accepted = readAcceptedCount(answer);
    if (accepted !== eventsPerMessage) throw new Error(`${accepted} of ${eventsPerMessage} events were accepted`);
    return accepted;
  }

  function contend(count: number): Contender {
    let next = 0;
    return {
      name: describe(count),
      // Of both, as an event costs both.
      server: subject,
      prepare: messages.refill,
      run: (forMs) => runCallers(callers, forMs, () => send(turnProjects[next++ % count] ?? "")),
    };
  }

  try {
    // What the first event of a project costs is another question.
    await touchAll(send);
    const [one, ...others] = counts;
    const baselines = others.map(contend);
    const work = { work: "TrackBatch by projects", unit: "events", ours: contend(one), baselines };
    return (await compare(work, roundMs)).map((comparison) => toScaleRow(comparison, `${one} project`));
  } finally {
    client.close();
  }
}

function describe(projects: number): string {
  return `TrackBatch, a stream for each message of ${eventsPerMessage} events, over ${projects} projects`;
}

async function touchAll(send: (project: string) => Promise<number>): Promise<void> {
  const untouched = [...turnProjects];
  const endMs = performance.now() + touchMaxMs;
  const touch = async () => {
    for (let project = untouched.pop(); project !== undefined; project = untouched.pop()) {
      if (performance.now() > endMs) throw new Error(`${untouched.length} projects were not touched in time`);
      await send(project);
    }
  };
  await Promise.all(Array.from({ length: callers }, touch));
}
