/** One line of an input. */
export interface Line {
  /** Counted from 1. */
  readonly number: number;
  /** Its bytes, without the line end; undefined when it is too long to be kept. */
  readonly bytes: Buffer | undefined;
}

/** Cuts an input into lines. Keeps no more of it than one line of the longest kind. */
export interface LineSplitter {
  /** The lines that end in this chunk. They share its memory. */
  push(chunk: Buffer): Line[];
  /** The last line, when it has no line end. */
  end(): Line[];
}

/** The longest line that is kept, in bytes. */
export const lineBytesMax = 1 << 20;

const lineFeed = 10;
const carriageReturn = 13;

export function createLineSplitter(): LineSplitter {
  let started: Buffer[] = [];
  let startedBytes = 0;
  let number = 0;

  function finish(rest: Buffer): Line {
    number++;
    const bytes =
      startedBytes + rest.length > lineBytesMax ? undefined : withoutReturn(Buffer.concat([...started, rest]));
    started = [];
    startedBytes = 0;
    return { number, bytes };
  }

  return {
    push(chunk) {
      const lines: Line[] = [];
      let begin = 0;
      for (let end = chunk.indexOf(lineFeed); end !== -1; end = chunk.indexOf(lineFeed, begin)) {
        const part = chunk.subarray(begin, end);
        if (startedBytes > 0 || part.length > lineBytesMax) lines.push(finish(part));
        else lines.push({ number: ++number, bytes: withoutReturn(part) });
        begin = end + 1;
      }
      const rest = chunk.subarray(begin);
      startedBytes += rest.length;
      if (startedBytes > lineBytesMax) started = [];
      else if (rest.length > 0) started.push(rest);
      return lines;
    },
    end() {
      return startedBytes === 0 ? [] : [finish(Buffer.alloc(0))];
    },
  };
}

function withoutReturn(bytes: Buffer): Buffer {
  return bytes.at(-1) === carriageReturn ? bytes.subarray(0, -1) : bytes;
}
