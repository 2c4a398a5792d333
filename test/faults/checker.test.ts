import { describe, expect, it } from "vitest";
import type { ListedEvent, Listing } from "./checker.ts";
import { checkHistory } from "./checker.ts";
import type { Answer, CallAnswer, CallRecord, History } from "./history.ts";

const cursorOf = (id: string) => `cursor of ${id}`;
const accepted = (id: string): Answer => ({ kind: "accepted", cursor: cursorOf(id) });
const acceptedAs = (id: string, mark: string): Answer => ({ kind: "accepted", cursor: cursorOf(mark), id });
const duplicate = (id: string): Answer => ({ kind: "duplicate", cursor: cursorOf(id) });
const refused: Answer = { kind: "refused", reason: "STORAGE_FULL" };
const unknown: Answer = { kind: "unknown", reason: "OUTCOME_UNKNOWN" };

const times = { timeoutMs: 10_000, beganAt: 0, endedAt: 1 };

function call(marks: string[], answers?: Answer[], rest: Partial<CallAnswer> = {}, writer = "w"): CallRecord {
  return { writer, marks, ...times, ...(answers && { answer: { answers, ...rest } }) };
}

const atomic = (ids: string[]): CallRecord => ({
  ...call(
    ids,
    ids.map(() => unknown),
  ),
  isAtomic: true,
});

function historyOf(...calls: CallRecord[]): History {
  return { calls, offered: new Map(calls.flatMap(({ marks }) => marks).map((mark) => [mark, `digest of ${mark}`])) };
}

function listed(mark: string, changes: Partial<ListedEvent> = {}): ListedEvent {
  return { mark, id: mark, cursor: cursorOf(mark), digest: `digest of ${mark}`, ...changes };
}

function listingOf(events: (string | ListedEvent)[], changes: Partial<Listing> = {}): Listing {
  const oldestFirst = events.map((event) => (typeof event === "string" ? listed(event) : event));
  return { oldestFirst, newestFirst: oldestFirst.toReversed(), passes: [], ...changes };
}

describe("checkHistory", () => {
  const two = historyOf(call(["a"], [accepted("a")]), call(["b"], [accepted("b")]));

  it.each<[string, History, Listing]>([
    ["what was acknowledged, once and in order", two, listingOf(["a", "b"])],
    ["an unknown event that is there", historyOf(call(["a"], [unknown])), listingOf(["a"])],
    ["an unknown event that is not there", historyOf(call(["a"], [unknown])), listingOf([])],
    ["a call that never ended", historyOf(call(["a"])), listingOf(["a"])],
    [
      "an event that was sent without an id, and is there under the one that was told",
      historyOf(call(["a"], [acceptedAs("1", "a")])),
      listingOf([listed("a", { id: "1" })]),
    ],
    ["an atomic call that is there as a whole", historyOf(atomic(["a", "b"])), listingOf(["a", "b"])],
    ["an atomic call of which nothing is there", historyOf(atomic(["a", "b"])), listingOf([])],
    ["a refused event that is not there", historyOf(call(["a"], [refused])), listingOf([])],
    [
      "a refused event that another call stored",
      historyOf(call(["a"], [refused]), call(["a"], [accepted("a")])),
      listingOf(["a"]),
    ],
    [
      "a refused event that an earlier call may have stored",
      historyOf(call(["a"], [unknown]), call(["a"], [refused])),
      listingOf(["a"]),
    ],
    [
      "a duplicate behind what came after the original",
      historyOf(call(["a"], [unknown]), call(["b", "a"], [accepted("b"), duplicate("a")])),
      listingOf(["a", "b"]),
    ],
    [
      "writers that overtake each other",
      historyOf(call(["a"], [accepted("a")], {}, "one"), call(["b"], [accepted("b")], {}, "two")),
      listingOf(["b", "a"]),
    ],
    [
      "the last cursor of a stream in which any event may be the last new one",
      historyOf(call(["a", "b"], [{ kind: "stored" }, { kind: "stored" }], { lastCursor: cursorOf("a") })),
      listingOf(["a", "b"]),
    ],
    [
      "a pass that saw the first events",
      two,
      listingOf(["a", "b"], { passes: [{ cursors: [cursorOf("a")], isComplete: true, acceptedBefore: 1 }] }),
    ],
    [
      "a pass that was broken off",
      two,
      listingOf(["a", "b"], { passes: [{ cursors: [], isComplete: false, acceptedBefore: 2 }] }),
    ],
  ])("has nothing against %s", (_, history, listing) => {
    expect(checkHistory(history, listing)).toEqual([]);
  });

  it.each<[string, History, Listing, string[]]>([
    ["an accepted event that is not there", two, listingOf(["a"]), ["lost"]],
    [
      "a duplicate that is not there",
      historyOf(call(["a"], [unknown]), call(["a"], [duplicate("a")])),
      listingOf([]),
      ["lost"],
    ],
    [
      "a duplicate of what was refused, for then it was stored",
      historyOf(call(["a"], [refused]), call(["a"], [duplicate("a")])),
      listingOf(["a"]),
      ["duplicate of nothing"],
    ],
    ["an event stored without a cursor told", historyOf(call(["a"], [{ kind: "stored" }])), listingOf([]), ["lost"]],
    ["an id stored twice", two, listingOf(["a", "b", listed("a", { cursor: "another" })]), ["stored twice"]],
    [
      "an unknown event stored twice",
      historyOf(call(["a"], [unknown])),
      listingOf(["a", listed("a", { cursor: "2" })]),
      ["stored twice"],
    ],
    [
      "an event without an id that is there twice",
      historyOf(call(["a"], [acceptedAs("1", "a")])),
      listingOf([listed("a", { id: "1" }), listed("a", { id: "2", cursor: "x" })]),
      ["stored twice"],
    ],
    [
      "an event without an id that is there under another than was told",
      historyOf(call(["a"], [acceptedAs("1", "a")])),
      listingOf([listed("a", { id: "2" })]),
      ["wrong id"],
    ],
    [
      "one id for two events",
      two,
      listingOf([listed("a", { id: "1" }), listed("b", { id: "1" })]),
      ["id of two events"],
    ],
    ["a refused event that is there", historyOf(call(["a"], [refused])), listingOf(["a"]), ["stored though refused"]],
    ["an event that nobody sent", historyOf(), listingOf(["a"]), ["never sent"]],
    ["an event with another content", two, listingOf([listed("a", { digest: "x" }), "b"]), ["altered"]],
    ["another cursor than was told", two, listingOf([listed("a", { cursor: "x" }), "b"]), ["wrong cursor"]],
    [
      "a duplicate told another cursor than the original's",
      historyOf(call(["a"], [unknown]), call(["a"], [{ kind: "duplicate", cursor: "x" }])),
      listingOf(["a"]),
      ["wrong cursor"],
    ],
    [
      "a last cursor that is not the last accepted event's",
      historyOf(call(["a", "b"], [{ kind: "accepted" }, { kind: "accepted" }], { lastCursor: cursorOf("a") })),
      listingOf(["a", "b"]),
      ["wrong cursor"],
    ],
    [
      "events of one call in another order",
      historyOf(call(["a", "b"], [accepted("a"), accepted("b")])),
      listingOf(["b", "a"]),
      ["reordered"],
    ],
    ["events of one writer's calls in another order", two, listingOf(["b", "a"]), ["reordered"]],
    [
      "a conflict, as no writer changes a payload",
      historyOf(call(["a"], [{ kind: "refused", reason: "ID_CONFLICT" }])),
      listingOf([]),
      ["conflict"],
    ],
    [
      "an answer whose counts do not add up",
      historyOf(call(["a"], [accepted("a")], { fault: "counts" })),
      listingOf(["a"]),
      ["unsound answer"],
    ],
    ["a gap in one order", two, listingOf(["a", "b"], { newestFirst: [listed("b")] }), ["page gap"]],
    [
      "a gap in the other order",
      historyOf(call(["a"], [unknown]), call(["b"], [accepted("b")])),
      listingOf(["b"], { newestFirst: [listed("b"), listed("a")] }),
      ["page gap"],
    ],
    [
      "pages that overlap",
      two,
      listingOf(["a", "b"], { newestFirst: [listed("b"), listed("b"), listed("a")] }),
      ["page overlap"],
    ],
    ["an atomic call of which a part is there", historyOf(atomic(["a", "b"])), listingOf(["b"]), ["torn apart"]],
    ["orders that disagree", two, listingOf(["a", "b"], { newestFirst: [listed("a"), listed("b")] }), ["reordered"]],
    [
      "a pass that left out an event",
      two,
      listingOf(["a", "b"], { passes: [{ cursors: [cursorOf("b")], isComplete: false, acceptedBefore: 0 }] }),
      ["skipped while written"],
    ],
    [
      "a pass that ended too early",
      two,
      listingOf(["a", "b"], { passes: [{ cursors: [cursorOf("a")], isComplete: true, acceptedBefore: 2 }] }),
      ["skipped while written"],
    ],
  ])("objects to %s", (_, history, listing, kinds) => {
    expect(checkHistory(history, listing).map(({ kind }) => kind)).toEqual(kinds);
  });
});
