/** A command of Redis' append-only file. */
interface LoggedCommand {
  readonly words: readonly string[];
  /** Offset of the first byte behind it. */
  readonly end: number;
}

/** What one script call left in the append-only file: all of it holds, or nothing. */
export interface LoggedTransaction {
  /** Of the stream entries that it adds, as `<ms>-<seq>`. */
  readonly streamIds: readonly string[];
  /** Offset of its first byte, and of the first one behind it. */
  readonly begin: number;
  readonly end: number;
}

/** The transactions of an append-only file that add to a stream. */
export function readTransactions(log: Buffer): LoggedTransaction[] {
  const transactions: LoggedTransaction[] = [];
  let streamIds: string[] = [];
  let begin = 0;
  let before = 0;
  for (const { words, end } of readCommands(log)) {
    const [verb = "", , id = ""] = words;
    if (verb.toUpperCase() === "MULTI") [begin, streamIds] = [before, []];
    if (verb.toUpperCase() === "XADD") streamIds.push(id);
    if (verb.toUpperCase() === "EXEC" && streamIds.length > 0) transactions.push({ streamIds, begin, end });
    before = end;
  }
  return transactions;
}

/** Reads as far as the commands are whole. */
function* readCommands(log: Buffer): Generator<LoggedCommand> {
  let at = 0;

  function readNumber(mark: string): number {
    const lineEnd = log.indexOf("\r\n", at);
    const line = log.toString("latin1", at, lineEnd);
    if (lineEnd < 0 || !line.startsWith(mark)) return Number.NaN;
    at = lineEnd + 2;
    return Number(line.slice(1));
  }

  while (at < log.length) {
    const words: string[] = [];
    for (let left = readNumber("*"); left > 0; left--) {
      const length = readNumber("$");
      words.push(log.toString("latin1", at, at + length));
      at += length + 2;
    }
    if (words.length === 0 || !(at <= log.length)) return;
    yield { words, end: at };
  }
}
