import type { Duration } from "@bufbuild/protobuf/wkt";
import { durationMs } from "@bufbuild/protobuf/wkt";
import type { CallLimits, GetLimitsResponse, Quota } from "../../gen/sluice/v1/event_service_pb.ts";
import { toDurationText } from "../domain/duration-text.ts";
import { toPrintable } from "./printable.ts";

type Row = readonly [label: string, text: string];

/** What bounds a caller, as a text to read: its project's limits first, then the caps that are the same for all. */
export function describeLimits(limits: GetLimitsResponse): string {
  const sections: [title: string, rows: Row[]][] = [["This project", describeProject(limits)]];
  if (limits.callLimits !== undefined) {
    sections.push(["An event", describeEvent(limits.callLimits)], ["A call", describeCall(limits.callLimits)]);
  }
  // One width for all, so that the eye finds the second column in one place.
  const width = Math.max(...sections.flatMap(([, rows]) => rows.map(([label]) => label.length)));
  const toLines = (rows: readonly Row[]) => rows.map(([label, text]) => `  ${label.padEnd(width)}  ${text}`.trimEnd());
  return sections.map(([title, rows]) => [title, ...toLines(rows), ""].join("\n")).join("\n");
}

function describeProject(limits: GetLimitsResponse): Row[] {
  const { quotas, eventCount, eventsMax, dedupeWindow, retention } = limits;
  const quotaRows = quotas.map((quota, i): Row => [i === 0 ? "rate limits" : "", describeQuota(quota)]);
  return [
    ...(quotaRows.length > 0 ? quotaRows : [["rate limits", "none"] as const]),
    ["events", eventsMax === 0n ? `${count(eventCount)}, no limit` : `${count(eventCount)} of ${count(eventsMax)}`],
    ["dedupe window", duration(dedupeWindow)],
    ["retention", retention === undefined ? "for ever" : duration(retention)],
    ["indexed properties", listOr("none", limits.indexedProperties)],
    ["environments", listOr("any", limits.environments)],
    ["identity kinds", listOr("any", limits.identityKinds)],
  ];
}

function describeQuota({ limit, per, remaining, resetAfter }: Quota): string {
  const resetMs = resetAfter === undefined ? 0 : durationMs(resetAfter);
  const left = resetMs === 0 ? "full" : `${count(remaining)} left, full again in ${roundUp(resetMs)}`;
  return `${count(limit)} per ${duration(per)}: ${left}`;
}

function describeEvent(caps: CallLimits): Row[] {
  return [
    ["size", `less than ${bytes(caps.eventBytes)}`],
    ["id", characters(caps.idLength)],
    ["name", characters(caps.nameLength)],
    [
      "identities",
      `${count(caps.identityCount)}; kind ${count(caps.identityKindLength)}, identity ${characters(caps.identityLength)}`,
    ],
    ["environment", characters(caps.environmentLength)],
    ["properties", `${count(caps.propertyCount)}, nested ${count(caps.propertyDepth)} deep`],
    ["a property", `name ${characters(caps.propertyNameLength)}, value ${bytes(caps.propertyBytes)}`],
    ["time", `at most ${duration(caps.timeAhead)} ahead`],
  ];
}

function describeCall(caps: CallLimits): Row[] {
  return [
    ["Track message", bytes(caps.trackMessageBytes)],
    ["batch message", `${count(caps.messageEvents)} events, ${bytes(caps.batchMessageBytes)}`],
    ["atomic TrackMany", `${bytes(caps.atomicBytes)}; ${count(caps.atomicTerms)} names, identities, indexed values`],
    ["throttled TrackBatch", `waits ${duration(caps.throttleWait)} in all`],
    [
      "page",
      `${count(caps.pageSizeMax)} events, ${bytes(caps.pageBytes)}; ${count(caps.pageSizeDefault)} events unless said`,
    ],
    [
      "filter",
      `${count(caps.filterNames)} names, ${count(caps.filterValues)} values, ${count(caps.filterProperties)} properties`,
    ],
    ["a filter's property", characters(caps.filterPropertyLength)],
    ["a silent tail", `is heard of every ${duration(caps.tailHeartbeat)}`],
  ];
}

function count(number: bigint): string {
  return number.toLocaleString("en-US");
}

function characters(length: bigint): string {
  return `${count(length)} characters`;
}

function bytes(size: bigint): string {
  if (size > 0n && size % (1n << 20n) === 0n) return `${count(size >> 20n)} MiB`;
  if (size > 0n && size % 1024n === 0n) return `${count(size >> 10n)} KiB`;
  return `${count(size)} bytes`;
}

function duration(given: Duration | undefined): string {
  return given === undefined ? "unknown" : toDurationText(durationMs(given));
}

/** How long it takes at the most, in two units. */
function roundUp(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  if (seconds < 120) return `${seconds} s`;
  const minutes = Math.ceil(seconds / 60);
  return minutes < 120 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

function listOr(none: string, words: readonly string[]): string {
  return words.length === 0 ? none : toPrintable(words.join(", "));
}
