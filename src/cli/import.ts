import { StartError } from "../domain/start-error.ts";
import { describeCallError } from "./call-error.ts";
import type { CliClock } from "./clock.ts";
import type { EventClient } from "./event-client.ts";
import type { ImportProgress, ImportState } from "./import-progress.ts";
import { describeCounts, describeEnd } from "./import-report.ts";
import { createImportTally } from "./import-tally.ts";
import type { Input } from "./inputs.ts";
import { openInputs } from "./inputs.ts";
import { createPeekable } from "./peekable.ts";
import { toPrintable } from "./printable.ts";
import { readMessages } from "./read-messages.ts";
import { sendEvents } from "./send-events.ts";

export interface ImportOptions {
  /** Paths of NDJSON files, plain or gzip; `-` is stdin. */
  readonly files: readonly string[];
  /** Reads the input so many times, and gives every event a new id. Default: once, with the ids that it has. */
  readonly repeat?: number | undefined;
  /** Tells of every line that failed, not only of the first 20. */
  readonly verbose?: boolean | undefined;
}

export interface ImportDeps {
  readonly client: EventClient;
  /** Where the client calls, for messages. */
  readonly url: string;
  readonly stdin: AsyncIterable<Uint8Array>;
  readonly clock: CliClock;
  /** 0 to 1, exclusive; spreads the retries of several importers. */
  random(): number;
  /** The user wants to stop: what was sent still gets its answer. */
  readonly stop: AbortSignal;
  startProgress(read: () => ImportState): ImportProgress;
  /** Prints the counts at the end. */
  print(line: string): void;
}

const toldMaxDefault = 20;

/**
 * Imports events, each with an answer, whatever becomes of the connection meanwhile. Returns the exit code: 0 when every
 * line was accepted or a duplicate, 130 when the user stopped it, else 1. Throws StartError when an input cannot be
 * read, before anything is sent.
 */
export async function importEvents(options: ImportOptions, deps: ImportDeps): Promise<number> {
  const { clock } = deps;
  const inputs = openInputs(options.files, deps.stdin);
  const repeat = options.repeat ?? 1;
  if (repeat > 1 && options.files.includes("-")) throw new StartError("--repeat cannot read stdin twice: give a file");

  const startMs = clock.nowMs();
  const bytesTotal = totalBytes(inputs, repeat);
  let bytesRead = 0;
  let sentCount = 0;
  let mayHaveStoredCut = false;
  let hasReadFault = false;
  const tally = createImportTally({
    toldMax: options.verbose ? Number.POSITIVE_INFINITY : toldMaxDefault,
    tell: (line) => progress.print(line),
  });
  const { counts } = tally;
  const progress = deps.startProgress(() => {
    return { counts, sentCount, bytesRead, bytesTotal, elapsedMs: clock.nowMs() - startMs };
  });

  const messages = readMessages(inputs, {
    repeat,
    freshIds: options.repeat !== undefined,
    onBytes(byteCount) {
      bytesRead += byteCount;
    },
    onFault: tally.addFault,
    onReadFault(file, error) {
      hasReadFault = true;
      const reason = error instanceof Error ? error.message : `${error}`;
      progress.print(toPrintable(`${file} cannot be read further: ${reason}`));
    },
  });
  const end = await sendEvents(createPeekable(messages), {
    ...deps,
    onSent(eventCount) {
      sentCount += eventCount;
      progress.update();
    },
    onAnswer(answer, sent) {
      tally.addAnswer(answer, sent);
      progress.update();
    },
    onCut({ error, delayMs, unknownCount }) {
      mayHaveStoredCut ||= unknownCount > 0;
      progress.print(`${describeCallError(error, deps.url)}; going on in ${(delayMs / 1000).toFixed(1)} s`);
    },
    onStopping() {
      progress.print("waiting for the answer of what was sent; Ctrl-C again stops at once");
    },
    onThrottled({ delayMs }) {
      progress.print(`a rate limit of the project is used up; going on in ${(delayMs / 1000).toFixed(1)} s`);
    },
  });
  if (end.error !== undefined && !end.wasConnected) {
    progress.print(describeCallError(end.error, deps.url));
    progress.stop();
    return 1;
  }

  counts.unknown = end.unknown.length;
  const fault = end.error === undefined ? undefined : `gave up: ${describeCallError(end.error, deps.url)}`;
  const isStopped = deps.stop.aborted;
  const elapsedMs = clock.nowMs() - startMs;
  const facts = {
    ...end,
    counts,
    fault,
    isStopped,
    elapsedMs,
    lastAnswered: tally.lastAnswered(),
    untoldCount: tally.untoldCount(),
    mayHaveStoredCut,
  };
  for (const line of describeEnd(facts)) progress.print(line);
  progress.stop();
  for (const line of describeCounts(facts)) deps.print(line);
  if (isStopped) return 130;
  return fault === undefined && !hasReadFault && counts.rejected + counts.invalid + counts.unknown === 0 ? 0 : 1;
}

function totalBytes(inputs: readonly Input[], repeat: number): number | undefined {
  let sum = 0;
  for (const { sizeBytes } of inputs) {
    if (sizeBytes === undefined) return undefined;
    sum += sizeBytes;
  }
  return sum * repeat;
}
