import { MultiBar } from "cli-progress";
import type { CliClock } from "./clock.ts";
import type { ImportCounts } from "./import-tally.ts";

/** How far an import is. */
export interface ImportState {
  readonly counts: ImportCounts;
  readonly sentCount: number;
  readonly bytesRead: number;
  /** Undefined when an input's size is not known. */
  readonly bytesTotal: number | undefined;
  readonly elapsedMs: number;
}

/** Shows how far an import is, and lets other lines be printed meanwhile. */
export interface ImportProgress {
  /** The state has changed. Cheap: it is shown only now and then. */
  update(): void;
  print(line: string): void;
  /** Ends the showing; nothing is to be called after it. */
  stop(): void;
}

/** A bar that is redrawn in place ten times a second, with other lines above it. */
export function createProgressBar(stream: NodeJS.WritableStream, read: () => ImportState): ImportProgress {
  const { bytesTotal } = read();
  const bars = new MultiBar({
    stream,
    format: bytesTotal === undefined ? "{text}" : "{bar} {percentage}% {text}",
    barsize: 20,
    barCompleteChar: "█",
    barIncompleteChar: "░",
    fps: 10,
    hideCursor: true,
    forceRedraw: true,
  });
  const bar = bars.create(bytesTotal || 1, 0, { text: describeState(read()) });
  const update = () => bar.update(Math.min(read().bytesRead, bytesTotal || 1), { text: describeState(read()) });
  return {
    update,
    print: (line) => bars.log(`${line}\n`),
    stop() {
      update();
      // What was printed last is shown with an update, not with the stop.
      bars.update();
      bars.stop();
    },
  };
}

/** A line every two seconds, as long as there is progress; for logs. */
export function createProgressLines(
  print: (line: string) => void,
  clock: CliClock,
  read: () => ImportState,
): ImportProgress {
  let shownAtMs = clock.nowMs();
  return {
    update() {
      const nowMs = clock.nowMs();
      if (nowMs - shownAtMs < linesEveryMs) return;
      shownAtMs = nowMs;
      print(describeState(read()));
    },
    print,
    stop() {},
  };
}

const linesEveryMs = 2000;

function describeState({ counts, sentCount, bytesRead, bytesTotal, elapsedMs }: ImportState): string {
  const rate = elapsedMs === 0 ? 0 : Math.round((sentCount * 1000) / elapsedMs);
  const parts = [`sent ${sentCount}`, `${rate}/s`];
  for (const kind of ["accepted", "duplicate", "rejected", "invalid"] as const) {
    if (counts[kind] > 0) parts.push(`${kind} ${counts[kind]}`);
  }
  if (bytesTotal !== undefined && bytesRead > 0 && bytesRead < bytesTotal) {
    parts.push(`ETA ${Math.ceil(((bytesTotal - bytesRead) / bytesRead) * (elapsedMs / 1000))} s`);
  }
  return parts.join(" · ");
}
