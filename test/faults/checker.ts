import type { Answer, CallAnswer, History } from "./history.ts";

/** An event as a page returned it. */
export interface ListedEvent {
  /** What its sender knows it by. */
  readonly mark: string;
  readonly id: string;
  readonly cursor: string;
  /** Of what its sender said. */
  readonly digest: string;
}

/** The events that were paged through while others were being written, from the oldest on. */
export interface Pass {
  readonly cursors: readonly string[];
  /** Whether it came to the end. */
  readonly isComplete: boolean;
  /** How many events had been acknowledged as new when it began. */
  readonly acceptedBefore: number;
}

/** What was there in the end, paged through in both orders, and what readers saw meanwhile. */
export interface Listing {
  readonly oldestFirst: readonly ListedEvent[];
  readonly newestFirst: readonly ListedEvent[];
  readonly passes: readonly Pass[];
}

/** A broken promise. */
export interface Violation {
  readonly kind:
    | "lost"
    | "stored twice"
    | "stored though refused"
    | "never sent"
    | "altered"
    | "wrong cursor"
    | "wrong id"
    | "id of two events"
    | "reordered"
    | "torn apart"
    | "wrong charge"
    | "duplicate of nothing"
    | "conflict"
    | "unsound answer"
    | "unsound reason"
    | "page gap"
    | "page overlap"
    | "skipped while written"
    | "tail gap"
    | "tail overlap"
    | "tail astray"
    | "tail behind"
    | "tail cut"
    | "not found"
    | "found astray";
  /** Of the event at fault, or whatever else leads to it. */
  readonly subject: string;
}

/** Compares what was told with what is there. An empty list: nothing lost, nothing twice, all in order. */
export function checkHistory(history: History, listing: Listing): Violation[] {
  // Of a mark that is there twice, the first counts.
  const placed = listing.oldestFirst.map((event, place) => [event.mark, { ...event, place }] as const);
  const stored = new Map(placed.reverse());
  return [
    ...checkPages(listing),
    ...checkListed(history, listing),
    ...checkAnswers(history, stored),
    ...checkLastCursors(history, stored),
    ...checkOrder(history, stored),
    ...checkAtomic(history, stored),
    ...listing.passes.flatMap((pass) => [...checkPass(pass, listing)]),
  ];
}

interface StoredEvent extends ListedEvent {
  /** Counted from the oldest. */
  readonly place: number;
}

type Stored = ReadonlyMap<string, StoredEvent>;

/** Both orders have to show the same, each event once. */
function* checkPages({ oldestFirst, newestFirst }: Listing): Generator<Violation> {
  const oldest = oldestFirst.map(({ cursor }) => cursor);
  const newest = newestFirst.map(({ cursor }) => cursor).reverse();
  for (const cursors of [oldest, newest]) {
    for (const subject of repeated(cursors)) yield { kind: "page overlap", subject };
  }
  const [inOldest, inNewest] = [new Set(oldest), new Set(newest)];
  for (const subject of [...without(inOldest, inNewest), ...without(inNewest, inOldest)]) {
    yield { kind: "page gap", subject };
  }
  if (inOldest.size !== oldest.length || inNewest.size !== newest.length || inOldest.size !== inNewest.size) return;
  const place = oldest.findIndex((cursor, i) => cursor !== newest[i]);
  if (place >= 0) yield { kind: "reordered", subject: `${oldest[place]}: oldest first and newest first disagree` };
}

/** Whatever is listed was sent, as it was sent, and stored once. */
function* checkListed({ offered }: History, { oldestFirst }: Listing): Generator<Violation> {
  // The same cursor twice is a fault of the pages, not of what is stored.
  const stored = [...new Map(oldestFirst.map((event) => [event.cursor, event])).values()];
  for (const subject of repeated(stored.map(({ mark }) => mark))) yield { kind: "stored twice", subject };
  const ids = new Map(stored.map(({ mark, id }) => [mark, id])).values();
  for (const subject of repeated([...ids])) yield { kind: "id of two events", subject };
  for (const { mark, digest } of stored) {
    const sent = offered.get(mark);
    if (sent === undefined) yield { kind: "never sent", subject: mark };
    else if (sent !== digest) yield { kind: "altered", subject: mark };
  }
}

/** What was acknowledged is there, at the cursor and under the id that were told; what was refused and nothing else is not. */
function* checkAnswers({ calls }: History, stored: Stored): Generator<Violation> {
  const mayBeStored = new Set<string>();
  const refused = new Set<string>();
  for (const { marks, answer } of calls) {
    for (const [i, mark] of marks.entries()) {
      const told: Answer = answer?.answers[i] ?? { kind: "unknown", reason: "" };
      if (told.kind === "duplicate" && !mayBeStored.has(mark)) yield { kind: "duplicate of nothing", subject: mark };
      if (told.kind === "refused" && told.reason === "ID_CONFLICT") yield { kind: "conflict", subject: mark };
      (told.kind === "refused" ? refused : mayBeStored).add(mark);
      if (!("reason" in told)) yield* checkStored(mark, told, stored);
    }
  }
  for (const subject of without(refused, mayBeStored)) {
    if (stored.has(subject)) yield { kind: "stored though refused", subject };
  }
}

function* checkStored(
  mark: string,
  { cursor, id }: { cursor?: string; id?: string },
  stored: Stored,
): Generator<Violation> {
  const found = stored.get(mark);
  if (found === undefined) yield { kind: "lost", subject: mark };
  else if (cursor !== undefined && cursor !== found.cursor) yield { kind: "wrong cursor", subject: mark };
  else if (id !== undefined && id !== found.id) yield { kind: "wrong id", subject: mark };
}

function* checkLastCursors({ calls }: History, stored: Stored): Generator<Violation> {
  for (const { marks, answer } of calls) {
    if (answer === undefined) continue;
    const subject = marks[0] ?? "";
    if (answer.fault !== undefined) yield { kind: "unsound answer", subject: `${subject}: ${answer.fault}` };
    if (
      answer.lastCursor &&
      !possiblyLast(marks, answer).some((mark) => stored.get(mark)?.cursor === answer.lastCursor)
    ) {
      yield { kind: "wrong cursor", subject: `${subject}: last_cursor` };
    }
  }
}

/** The last event that was accepted; any of them where the answer does not say which were. */
function possiblyLast(marks: readonly string[], { answers }: CallAnswer): string[] {
  const lastAccepted = answers.findLastIndex(({ kind }) => kind === "accepted");
  return marks.filter((_, i) => i === lastAccepted || answers[i]?.kind === "stored");
}

/** A writer waits for each answer, so what it was told is new has to be behind all that it was told before. */
function* checkOrder({ calls }: History, stored: Stored): Generator<Violation> {
  const places = new Map<string, number>();
  for (const { writer, marks, answer } of calls) {
    for (const [i, mark] of marks.entries()) {
      const place = answer?.answers[i]?.kind === "accepted" ? stored.get(mark)?.place : undefined;
      if (place === undefined) continue;
      if (place <= (places.get(writer) ?? -1)) yield { kind: "reordered", subject: mark };
      places.set(writer, place);
    }
  }
}

/** Whatever it was told, an atomic call is there as a whole, or not at all. */
function* checkAtomic({ calls }: History, stored: Stored): Generator<Violation> {
  for (const { marks, isAtomic } of calls) {
    if (!isAtomic) continue;
    const count = marks.filter((mark) => stored.has(mark)).length;
    if (count > 0 && count < marks.length) {
      yield { kind: "torn apart", subject: `${marks[0]}: ${count} of ${marks.length} events` };
    }
  }
}

/** Nothing is ever stored before what is there: a pass saw the first events, all of them up to where it ended. */
function* checkPass({ cursors, isComplete, acceptedBefore }: Pass, { oldestFirst }: Listing): Generator<Violation> {
  const place = cursors.findIndex((cursor, i) => cursor !== oldestFirst[i]?.cursor);
  if (place >= 0) yield { kind: "skipped while written", subject: `event ${place} of a pass: ${cursors[place]}` };
  if (isComplete && cursors.length < acceptedBefore) {
    yield { kind: "skipped while written", subject: `${cursors.length} events, after ${acceptedBefore} were accepted` };
  }
}

function repeated(values: readonly string[]): Set<string> {
  const seen = new Set<string>();
  return new Set(values.filter((value) => seen.size === seen.add(value).size));
}

function without(values: ReadonlySet<string>, others: ReadonlySet<string>): string[] {
  return [...values].filter((value) => !others.has(value));
}
