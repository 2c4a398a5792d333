/** A system call as strace saw it. */
export interface SystemCall {
  readonly name: string;
  /** What its file descriptor stands for: a path, or a socket. */
  readonly target: string;
  /** What it wrote; as much of it as was taken. */
  readonly bytes: Buffer;
  /** -1 when it failed or never returned. */
  readonly result: number;
}

/** The begin or the end of a call. In a trace of several threads, calls overlap. */
export interface Moment {
  readonly kind: "begin" | "end";
  readonly call: SystemCall;
}

/** Reads what `strace -f -yy -xx -o` wrote, as moments in their order; calls on something else than a file are left out. */
export function parseTrace(trace: string): Moment[] {
  const moments: Moment[] = [];
  const unfinished = new Map<string, { text: string; place: number }>();
  for (const line of trace.split("\n")) {
    const [, pid = "", text = ""] = /^(\d+) +(.*)$/.exec(line) ?? [];
    const resumed = /^<\.\.\. \w+ resumed>(.*)$/.exec(text)?.[1];
    if (text.endsWith(" <unfinished ...>")) {
      unfinished.set(pid, { text: text.slice(0, -" <unfinished ...>".length), place: moments.length });
      // Its call is known once it has returned.
      moments.push({ kind: "begin", call: never });
    } else if (resumed !== undefined) {
      const begun = unfinished.get(pid);
      const call = begun && parseCall(begun.text + resumed);
      if (call === undefined) continue;
      moments[begun?.place ?? 0] = { kind: "begin", call };
      moments.push({ kind: "end", call });
    } else {
      const call = parseCall(text);
      if (call !== undefined) moments.push({ kind: "begin", call }, { kind: "end", call });
    }
  }
  return moments.filter(({ call }) => call !== never);
}

const never: SystemCall = { name: "", target: "", bytes: Buffer.alloc(0), result: -1 };

function parseCall(text: string): SystemCall | undefined {
  const [, name = "", target = "", rest = "", result = "-1"] =
    /^(\w+)\(\d+<((?:->|[^<>])*)>(.*)\) += (-?\d+)/.exec(text) ?? [];
  if (name === "") return undefined;
  const strings = [...rest.matchAll(/"((?:\\x[0-9a-f]{2})*)"/g)].map(([, escaped = ""]) => decode(escaped));
  const bytes = Buffer.concat(strings).subarray(0, Math.max(0, Number(result)));
  return { name, target: decode(target).toString(), bytes, result: Number(result) };
}

/** Bytes that are escaped one by one; anything else stays as it is. */
function decode(text: string): Buffer {
  return Buffer.from(
    text.replace(/\\x([0-9a-f]{2})/g, (_, hex: string) => String.fromCharCode(Number.parseInt(hex, 16))),
    "latin1",
  );
}
