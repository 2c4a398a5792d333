import { describe, expect, it } from "vitest";
import { judgeReplyOrder } from "./reply-order.ts";
import { parseTrace } from "./system-calls.ts";

const id = "1795230645108-0";

function hex(text: string): string {
  return `"${[...Buffer.from(text)].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}"`;
}

function command(...words: string[]): string {
  return `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;
}

const transaction = command("MULTI") + command("XADD", "events", id, "", "e") + command("EXEC");
const logFile = "7</data/appendonlydir/appendonly.aof.1.incr.aof>";
const log = `10 write(${logFile}, ${hex(transaction)}, ${transaction.length}) = ${transaction.length}`;
const sync = `10 fdatasync(${logFile}) = 0`;
const message = `$15\r\n${id}\r\n`;
const socket = '8<UNIX-STREAM:[2->1,"/data/r.sock"]>';
const reply = `10 writev(${socket}, [{iov_base=${hex(message)}, iov_len=22}], 1) = ${message.length}`;

describe("judgeReplyOrder", () => {
  it.each<[string, string[]]>([
    ["write, sync, reply", [log, sync, reply]],
    [
      "a sync that another thread's call interrupts",
      [
        log,
        `10 fdatasync(${logFile} <unfinished ...>`,
        `11 write(9</data/redis.log>, "\\x2e", 1) = 1`,
        "10 <... fdatasync resumed>) = 0",
        reply,
      ],
    ],
  ])("accepts %s", (_, lines) => {
    expect(judgeReplyOrder(parseTrace(lines.join("\n")))).toEqual({
      replyCount: 1,
      entryCount: 1,
      syncCount: 1,
      violations: [],
    });
  });

  it.each<[string, string[]]>([
    ["a reply without a sync", [log, reply]],
    ["a sync after the reply", [log, reply, sync]],
    ["a sync before the write", [sync, log, reply]],
    ["a reply before the write", [reply, log, sync]],
    ["a sync that fails", [log, `10 fdatasync(${logFile}) = -1 EIO (Input/output error)`, reply]],
    [
      "a sync that has not ended",
      [log, `11 fdatasync(${logFile} <unfinished ...>`, reply, "11 <... fdatasync resumed>) = 0"],
    ],
    [
      "a sync that began before the write",
      [`11 fdatasync(${logFile} <unfinished ...>`, log, "11 <... fdatasync resumed>) = 0", reply],
    ],
    ["a sync of another file", [log, "10 fdatasync(6</data/dump.rdb>) = 0", reply]],
  ])("objects to %s", (_, lines) => {
    const order = judgeReplyOrder(parseTrace(lines.join("\n")));
    expect(order).toMatchObject({ replyCount: 1, violations: [`a reply names ${id} before it is on disk`] });
  });

  it("objects to any reply while something logged is not on disk", () => {
    const other = `10 write(${socket}, ${hex("+OK\r\n")}, 5) = 5`;
    expect(judgeReplyOrder(parseTrace([log, other].join("\n"))).violations).toHaveLength(1);
  });
});
