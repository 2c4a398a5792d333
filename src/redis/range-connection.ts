import { connect as connectPlain, type OnReadOpts, type Socket } from "node:net";
import { connect as connectTls } from "node:tls";
import { createReceiveMemory } from "./receive-memory.ts";
import type { RedisTarget } from "./redis-address.ts";
import { createRespParser, type RespReply } from "./resp-parser.ts";

/**
 * A connection of our own for the one kind of command whose replies are large: ranges of a stream. Everything else goes
 * through ioredis, and so do ranges while this connection is away: it makes pages cheaper, and nothing depends on it.
 */
export interface RangeConnection {
  /**
   * Sends commands that only read, and resolves with their replies, in order; with undefined when there is no connection,
   * or it is lost before the replies: ask another way. Rejects with an error reply of Redis, and when none comes in time.
   */
  send(commands: Commands): Promise<readonly RespReply[] | undefined>;
  close(): void;
}

/** As for every connection that reads. */
const replyMs = 2000;

/** How long to wait after a connection failed until the next is tried. */
const pauseMs = 500;

/** Each a list of its name and arguments. */
type Commands = readonly (readonly (string | number)[])[];

interface Pending {
  readonly count: number;
  readonly replies: RespReply[];
  readonly timer: NodeJS.Timeout;
  resolve(replies: readonly RespReply[] | undefined): void;
  reject(error: Error): void;
}

/** Connects when first asked, and again, at most every half second, when it was lost. */
export function createRangeConnection(target: RedisTarget): RangeConnection {
  let socket: Socket | undefined;
  let isReady = false;
  let isClosed = false;
  let triedAtMs = Number.NEGATIVE_INFINITY;
  let sendOn: RangeConnection["send"] = async () => undefined;

  function open(): void {
    if (socket !== undefined || isClosed || performance.now() - triedAtMs < pauseMs) return;
    triedAtMs = performance.now();
    const memory = createReceiveMemory();
    const parser = createRespParser((reply) => take(pending, reply));
    const one = dial(target, {
      buffer: () => memory.next(),
      callback(count) {
        try {
          parser.push(memory.take(count));
        } catch {
          one.destroy();
        }
        return true;
      },
    });
    socket = one;
    const pending: Pending[] = [];
    const write = createJoinedWrites(one);
    const ask = (commands: Commands) => waitFor(one, pending, commands.length, () => write(commands));
    sendOn = ask;
    one.setNoDelay(true).unref();
    // What went wrong is told by the connections that the rest goes through.
    one.on("error", () => {});
    one.on("close", () => {
      socket = undefined;
      isReady = false;
      for (const { resolve, timer } of pending.splice(0)) {
        clearTimeout(timer);
        resolve(undefined);
      }
    });
    ask(greetingOf(target)).then(
      (replies) => {
        isReady = replies !== undefined;
      },
      () => one.destroy(),
    );
  }

  return {
    async send(commands) {
      if (isReady) return sendOn(commands);
      open();
      return undefined;
    },
    close() {
      isClosed = true;
      socket?.destroy();
    },
  };
}

function dial({ path, host = "localhost", port = 6379, tls }: RedisTarget, onread: OnReadOpts): Socket {
  if (path !== undefined) return connectPlain({ path, onread });
  const options = { host, port, onread };
  return tls === undefined ? connectPlain(options) : connectTls({ ...tls, ...options });
}

/** What to say first. The last answer tells that Redis has loaded its data. */
function greetingOf({ username, password, db }: RedisTarget): (string | number)[][] {
  const auth = username === undefined ? [password ?? ""] : [username, password ?? ""];
  return [
    ...(password === undefined && username === undefined ? [] : [["AUTH", ...auth]]),
    ...(db === undefined ? [] : [["SELECT", db]]),
    ["PING"],
  ];
}

/**
 * Writes what calls ask for in one turn of the event loop at once: a write by itself wakes Redis for each of them, and is a
 * quarter of a page.
 */
function createJoinedWrites(socket: Socket): (commands: Commands) => void {
  let unsent = "";
  return (commands) => {
    if (unsent === "") {
      // Not sooner: calls that are received together begin one after the other.
      setImmediate(() => {
        socket.write(unsent);
        unsent = "";
      });
    }
    for (const command of commands) unsent += encode(command);
  };
}

function waitFor(
  socket: Socket,
  pending: Pending[],
  count: number,
  write: () => void,
): Promise<readonly RespReply[] | undefined> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error("Command timed out"));
      socket.destroy();
    }, replyMs);
    pending.push({ count, replies: [], timer, resolve, reject });
    write();
  });
}

/** Gives a reply to whoever has waited longest. */
function take(pending: Pending[], reply: RespReply): void {
  const [first] = pending;
  if (first === undefined) throw new Error("Redis gave a reply that nobody waits for");
  first.replies.push(reply);
  if (first.replies.length < first.count) return;
  pending.shift();
  clearTimeout(first.timer);
  const fault = first.replies.find((one) => one instanceof Error);
  if (fault === undefined) first.resolve(first.replies);
  else first.reject(fault);
}

function encode(command: readonly (string | number)[]): string {
  const args = command.map((arg) => `$${Buffer.byteLength(`${arg}`)}\r\n${arg}\r\n`);
  return `*${command.length}\r\n${args.join("")}`;
}
