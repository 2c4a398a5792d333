import type { Logger } from "pino";
import { destination, pino } from "pino";
import { PinoPretty } from "pino-pretty";

/**
 * The server's log, on standard error: lines for a person where that is a terminal, JSON otherwise. Standard output is
 * left to what a command was asked for.
 */
export function createLogger(level: string): Logger {
  const stderr = 2;
  const output = process.stderr.isTTY
    ? PinoPretty({ destination: stderr, sync: true, singleLine: true, translateTime: "SYS:HH:MM:ss.l" })
    : destination({ dest: stderr, sync: true });
  return pino({ level, base: null, timestamp: () => `,"time":"${new Date().toISOString()}"` }, output);
}
