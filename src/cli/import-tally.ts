import type { TrackBatchResponse } from "../../gen/sluice/v1/event_service_pb.ts";
import { Outcome } from "../../gen/sluice/v1/event_service_pb.ts";
import type { OutgoingEvent } from "./outgoing-event.ts";
import { toPrintable } from "./printable.ts";
import type { LineFault } from "./read-messages.ts";

/** What has become of an import's lines so far. */
export interface ImportCounts {
  accepted: number;
  duplicate: number;
  rejected: number;
  /** Lines that hold no event; they are not sent. */
  invalid: number;
  /** Sent, but without an answer for good. */
  unknown: number;
}

/** Counts lines by what became of them, and tells of those that failed. */
export interface ImportTally {
  readonly counts: ImportCounts;
  addFault(fault: LineFault): void;
  addAnswer(answer: TrackBatchResponse, sent: readonly OutgoingEvent[]): void;
  /** The last event, in the order of the input, below which every one has its answer. */
  lastAnswered(): OutgoingEvent | undefined;
  /** How many failed lines were counted, but not told of. */
  untoldCount(): number;
}

export interface ImportTallyOptions {
  /** How many failed lines to tell of. */
  readonly toldMax: number;
  tell(line: string): void;
}

export function createImportTally({ toldMax, tell }: ImportTallyOptions): ImportTally {
  const counts: ImportCounts = { accepted: 0, duplicate: 0, rejected: 0, invalid: 0, unknown: 0 };
  let toldCount = 0;
  let lastAnswered: OutgoingEvent | undefined;

  function tellFault({ file, line, reason }: LineFault): void {
    if (toldCount >= toldMax) return;
    toldCount++;
    tell(`${toPrintable(file)}:${line}: ${reason}`);
  }

  return {
    counts,
    addFault(fault) {
      counts.invalid++;
      tellFault(fault);
    },
    addAnswer(answer, sent) {
      counts.accepted += Number(answer.acceptedCount);
      counts.duplicate += Number(answer.duplicateCount);
      counts.rejected += Number(answer.rejectedCount);
      lastAnswered = sent[Number(answer.nextIndex) - 1] ?? lastAnswered;
      for (const { index, outcome, rejection } of answer.failures) {
        const event = sent[Number(index)];
        // What is unknown is sent again, and so is all from `nextIndex` on.
        if (event === undefined || outcome !== Outcome.REJECTED || index >= answer.nextIndex) continue;
        const { reason = "", field = "", message = "" } = rejection ?? {};
        const fault = `${field === "" ? "the event" : field} ${message}`;
        tellFault({ file: event.file, line: event.line, reason: toPrintable(`rejected: ${fault} (${reason})`) });
      }
    },
    lastAnswered: () => lastAnswered,
    untoldCount: () => counts.rejected + counts.invalid - toldCount,
  };
}
