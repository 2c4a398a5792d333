import { type Logger, pino } from "pino";

/** A logger for tests, and what it was given. */
export interface CapturedLog {
  readonly logger: Logger;
  /** The lines, as JSON, in order. */
  readonly lines: readonly string[];
  /** The lines that hold a text. */
  containing(text: string): readonly string[];
}

/** A logger that keeps every line, at any level. */
export function captureLog(): CapturedLog {
  const lines: string[] = [];
  const logger = pino({ level: "trace" }, { write: (line: string) => void lines.push(line) });
  return { logger, lines, containing: (text) => lines.filter((line) => line.includes(text)) };
}
