import type { CliClock } from "../../src/cli/clock.ts";
import type { EventClient } from "../../src/cli/event-client.ts";
import { type ImportOptions, importEvents } from "../../src/cli/import.ts";
import { createProgressLines } from "../../src/cli/import-progress.ts";

/** What an import did, as its user sees it. */
export interface ImportRun {
  readonly exitCode: number;
  /** Lines about faults, cuts and progress. */
  readonly told: string[];
  /** The result's lines. */
  readonly printed: string[];
  /** The result's counts by their label. */
  readonly counts: Record<string, number>;
  /** How long it waited between attempts. */
  readonly delaysMs: number[];
}

export interface ImportHarness extends Partial<ImportOptions> {
  readonly client: EventClient;
  /** Standard input, read unless there are files. */
  readonly input?: string | Uint8Array | AsyncIterable<Uint8Array>;
  readonly stop?: AbortSignal;
  /** Default: input is never so slow that a stream is ended for it. */
  readonly isInputSlow?: boolean;
  readonly random?: () => number;
}

/** So many lines, each with an event of an id of its own. */
export function eventLines(count: number, prefix = "e"): string {
  return Array.from({ length: count }, (_, i) => `${JSON.stringify({ id: `${prefix}${i}`, name: "click" })}\n`).join(
    "",
  );
}

/** Runs an import without a process, a terminal, or waiting. */
export async function runImport(harness: ImportHarness): Promise<ImportRun> {
  const { client, input = "", isInputSlow = false, files = ["-"], repeat, verbose } = harness;
  const told: string[] = [];
  const printed: string[] = [];
  const delaysMs: number[] = [];
  let nowMs = 0;
  const clock: CliClock = {
    nowMs: () => nowMs++,
    async wait(ms, signal) {
      const isForInput = ms === 1000 && signal !== harnessStop;
      const isForAnswer = !isForInput && signal !== harnessStop;
      if (isForAnswer || (isForInput && !isInputSlow)) await aborted(signal);
      else if (!isForInput) delaysMs.push(ms);
    },
  };
  const harnessStop = harness.stop ?? new AbortController().signal;
  const exitCode = await importEvents(
    { files, repeat, verbose },
    {
      client,
      url: "http://sluice.test",
      stdin: typeof input === "string" || input instanceof Uint8Array ? oneChunk(input) : input,
      clock,
      random: harness.random ?? (() => 0.5),
      stop: harnessStop,
      startProgress: (read) =>
        createProgressLines((line) => told.push(line), { nowMs: () => 0, wait: clock.wait }, read),
      print: (line) => printed.push(line),
    },
  );
  return { exitCode, told, printed, counts: readCounts(printed), delaysMs };
}

function readCounts(printed: readonly string[]): Record<string, number> {
  const found = printed.map((line) => /^(accepted|duplicate|rejected|invalid lines|unknown) +(\d+)$/.exec(line));
  return Object.fromEntries(found.flatMap((match) => (match ? [[match[1], Number(match[2])]] : [])));
}

async function* oneChunk(text: string | Uint8Array): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

function aborted(signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) resolve();
    signal?.addEventListener("abort", () => resolve());
  });
}
