/** A line that says what goes on at the moment, and is gone afterwards. To be cleared before anything else is printed. */
export interface StatusLine {
  /** Shows a text in place of the one before. Short, so that it fits the terminal. */
  show(text: string): void;
  clear(): void;
}

/** The last line of a terminal. Elsewhere nothing is shown: a log is no place for what is gone afterwards. */
export function createStatusLine(stream: Pick<NodeJS.WriteStream, "write" | "isTTY">): StatusLine {
  let isShown = false;
  return {
    show(text) {
      if (!stream.isTTY) return;
      isShown = true;
      stream.write(`\r${text}${clearToEnd}`);
    },
    clear() {
      if (isShown) stream.write(`\r${clearToEnd}`);
      isShown = false;
    },
  };
}

const clearToEnd = "\u001b[K";
