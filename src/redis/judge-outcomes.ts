import type { Position } from "../domain/cursor.ts";
import { SluiceError } from "../domain/errors.ts";
import type { AppendResult, EventToAppend, StoredEvent } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { isSameEvent } from "../domain/same-event.ts";
import type { QueueOutcome } from "./submission.ts";

/**
 * Judges what the queue says of events, index-aligned: whether a known id stands for the same event. Never rejects, and
 * says so at once unless an original has to be read.
 */
export type JudgeOutcomes = (
  project: Project,
  events: readonly EventToAppend[],
  outcomes: readonly QueueOutcome[],
) => AppendResult[] | Promise<AppendResult[]>;

type ReadOriginal = (position: Position) => Promise<StoredEvent | undefined>;

/** `readAt` gives the event at a position. */
export function createJudge(
  readAt: (project: Project, position: Position) => Promise<StoredEvent | undefined>,
): JudgeOutcomes {
  /** Only a payload whose bytes differ is looked at: the same event may be encoded in several ways. */
  function judgeOne(
    event: EventToAppend,
    outcome: QueueOutcome | undefined,
    readOriginal: ReadOriginal,
  ): AppendResult | (() => Promise<AppendResult>) {
    if (outcome === undefined) {
      return { kind: "failed", error: new SluiceError("INTERNAL", "the append queue skipped an event") };
    }
    switch (outcome.kind) {
      case "added":
        return { kind: "accepted", position: outcome.position };
      case "known":
        return outcome.isSamePayloadHash
          ? { kind: "duplicate", position: outcome.position }
          : () => compareWithOriginal(event, outcome.position, readOriginal);
      default:
        return outcome;
    }
  }

  async function compareWithOriginal(
    event: EventToAppend,
    position: Position,
    readOriginal: ReadOriginal,
  ): Promise<AppendResult> {
    try {
      const original = await readOriginal(position);
      const isSame = original !== undefined && isSameEvent(withId(original), event.bytes);
      return isSame ? { kind: "duplicate", position } : { kind: "conflict" };
    } catch (cause) {
      const text = "whether the id was used for the same event could not be looked up: send it again with the same id";
      return { kind: "failed", error: new SluiceError("OUTCOME_UNKNOWN", text, { cause }) };
    }
  }

  /** One by one: an original may have 800 KB, and a call can ask for 500 of them. */
  async function awaitAll(results: readonly (AppendResult | (() => Promise<AppendResult>))[]): Promise<AppendResult[]> {
    const judged: AppendResult[] = [];
    for (const result of results) judged.push(typeof result === "function" ? await result() : result);
    return judged;
  }

  return (project, events, outcomes) => {
    const readOriginal = rememberLast((position) => readAt(project, position));
    const results = events.map((event, i) => judgeOne(event, outcomes[i], readOriginal));
    return results.every(isJudged) ? results : awaitAll(results);
  };
}

function isJudged(result: AppendResult | (() => Promise<AppendResult>)): result is AppendResult {
  return typeof result !== "function";
}

/** Does not read again what it read last: all events of a call may have one id. */
function rememberLast(read: ReadOriginal): ReadOriginal {
  let last: { readonly position: Position; readonly original: StoredEvent | undefined } | undefined;
  return async (position) => {
    if (last?.position.ms !== position.ms || last.position.seq !== position.seq) {
      last = { position, original: await read(position) };
    }
    return last.original;
  };
}

/** The encoding of an event with its id, by which its sender may send it again after the server has assigned it. */
function withId({ bytes, assignedId }: StoredEvent): Uint8Array {
  if (assignedId === undefined) return bytes;
  const id = Buffer.from(assignedId, "latin1");
  return Buffer.concat([bytes, Buffer.of(idTag, id.length), id]);
}

/** Of the field `id` in sluice.v1.Event: number 1, a string. */
const idTag = 0x0a;
