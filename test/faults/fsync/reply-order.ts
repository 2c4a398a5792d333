import { type LoggedTransaction, readTransactions } from "./append-log.ts";
import type { Moment, SystemCall } from "./system-calls.ts";

/** What a trace of Redis says about the order of log, disk and replies. */
export interface ReplyOrder {
  /** Replies that name an entry of the stream. */
  readonly replyCount: number;
  /** Entries that replies named. */
  readonly entryCount: number;
  /** Times that the log was brought to disk. */
  readonly syncCount: number;
  /** Replies that left before what they tell was on disk, or while anything that was logged was not. */
  readonly violations: readonly string[];
}

/**
 * Judges whether each reply left after an fsync of the append-only file that began after the last byte of the
 * transaction that it tells of was written, and ended well before the reply began.
 */
export function judgeReplyOrder(moments: readonly Moment[]): ReplyOrder {
  const endOffsets = findEndOffsets(readTransactions(collectLog(moments)));
  const entries = new Set<string>();
  const snapshots = new Map<SystemCall, number>();
  const violations: string[] = [];
  let [written, synced, syncCount, replyCount] = [0, 0, 0, 0];

  function judgeReply({ bytes }: SystemCall): void {
    const told = (bytes.toString("latin1").match(/\d{13}-\d+/g) ?? []).filter((id) => endOffsets.has(id));
    if (told.length > 0) replyCount++;
    for (const id of told) entries.add(id);
    const early = told.find((id) => (endOffsets.get(id) ?? 0) > synced);
    if (early !== undefined) violations.push(`a reply names ${early} before it is on disk`);
    else if (written > synced) violations.push(`a reply leaves while ${written - synced} logged bytes are not on disk`);
  }

  for (const { kind, call } of moments) {
    if (isWriteTo(call, isSocket)) {
      if (kind === "begin") judgeReply(call);
    } else if (isWriteTo(call, isLog)) {
      if (kind === "end") written += call.bytes.length;
    } else if (isSync(call)) {
      if (kind === "begin") snapshots.set(call, written);
      else if (call.result === 0) {
        syncCount++;
        synced = Math.max(synced, snapshots.get(call) ?? 0);
      }
    }
  }
  return { replyCount, entryCount: entries.size, syncCount, violations };
}

const isLog = (target: string) => target.endsWith(".incr.aof");
const isSocket = (target: string) => target.startsWith("UNIX");

function isWriteTo({ name, target }: SystemCall, isTarget: (target: string) => boolean): boolean {
  return /^(p?writev?(64)?|sendto|sendmsg)$/.test(name) && isTarget(target);
}

function isSync({ name, target }: SystemCall): boolean {
  return /^f(data)?sync$/.test(name) && isLog(target);
}

function collectLog(moments: readonly Moment[]): Buffer {
  const writes = moments.filter(({ kind, call }) => kind === "end" && isWriteTo(call, isLog));
  return Buffer.concat(writes.map(({ call }) => call.bytes));
}

/** Where the log has to be on disk up to for an entry to be there. */
function findEndOffsets(transactions: readonly LoggedTransaction[]): ReadonlyMap<string, number> {
  return new Map(transactions.flatMap(({ streamIds, end }) => streamIds.map((id) => [id, end] as const)));
}
