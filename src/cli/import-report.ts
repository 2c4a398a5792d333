import type { ImportCounts } from "./import-tally.ts";
import type { OutgoingEvent } from "./outgoing-event.ts";
import { toPrintable } from "./printable.ts";

/** How an import ended. */
export interface ImportEnd {
  readonly counts: ImportCounts;
  /** Why it ended before its input did. */
  readonly fault: string | undefined;
  /** The user ended it. */
  readonly isStopped: boolean;
  /** Sent, without an answer. */
  readonly unknown: readonly OutgoingEvent[];
  /** The event up to which every one has its answer. */
  readonly lastAnswered: OutgoingEvent | undefined;
  readonly elapsedMs: number;
  /** Lines that failed, but of which nothing was said. */
  readonly untoldCount: number;
  /** Whether a stream was cut in such a way that events of it may have been stored. */
  readonly mayHaveStoredCut: boolean;
}

/** What a person should know of an import's end beside the counts. Empty when all went well. */
export function describeEnd({ counts, fault, isStopped, untoldCount, mayHaveStoredCut, ...end }: ImportEnd): string[] {
  const lines: string[] = [];
  if (untoldCount > 0) {
    lines.push(`${untoldCount} more lines failed (--verbose tells of as many as the server names)`);
  }
  if (mayHaveStoredCut && counts.duplicate > 0) {
    lines.push("some duplicates may be events that this import had stored before the connection was cut");
  }
  if (isStopped) lines.push("stopped");
  if (fault !== undefined) lines.push(fault);
  if (isStopped || fault !== undefined) lines.push(...describeRest(end));
  return lines;
}

/** Counts of lines by what became of them, time and rate. */
export function describeCounts({ counts, elapsedMs }: Pick<ImportEnd, "counts" | "elapsedMs">): string[] {
  const answeredCount = counts.accepted + counts.duplicate + counts.rejected;
  const seconds = elapsedMs / 1000;
  const rate = elapsedMs === 0 ? 0 : Math.round(answeredCount / seconds);
  return [
    `accepted       ${counts.accepted}`,
    `duplicate      ${counts.duplicate}`,
    `rejected       ${counts.rejected}`,
    `invalid lines  ${counts.invalid}`,
    `unknown        ${counts.unknown}`,
    `${answeredCount} answered in ${seconds.toFixed(1)} s, ${rate}/s`,
  ];
}

function describeRest({ lastAnswered, unknown }: Pick<ImportEnd, "lastAnswered" | "unknown">): string[] {
  const answered =
    lastAnswered === undefined ? "no line has an answer" : `every line up to ${placeOf(lastAnswered)} has its answer`;
  const first = unknown[0];
  if (first === undefined) return [`${answered}; nothing else is stored`];
  const withoutIdCount = unknown.filter(({ hasOwnId }) => !hasOwnId).length;
  return [
    answered,
    `${unknown.length} events from ${placeOf(first)} on were sent without an answer: they may or may not be stored`,
    withoutIdCount === 0
      ? "importing them again stores none twice, as they have ids"
      : `${withoutIdCount} of them have no id of their own: importing them again may store them twice`,
  ];
}

function placeOf({ file, line }: OutgoingEvent): string {
  return `${toPrintable(file)}:${line}`;
}
