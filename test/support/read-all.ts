import { fromBinary } from "@bufbuild/protobuf";
import { expect } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { Position } from "../../src/domain/cursor.ts";
import type { EventLog, ReadRange, StoredEvent } from "../../src/domain/ports.ts";
import type { Project } from "../../src/domain/project.ts";

/** Reads slice by slice to the end, and expects each to keep to the range. */
export async function readAll(
  log: Pick<EventLog, "read">,
  project: Project,
  range: Omit<ReadRange, "after">,
): Promise<StoredEvent[]> {
  const events: StoredEvent[] = [];
  let after: Position | undefined;
  for (let step = 0; step < 5000; step++) {
    const slice = await log.read(project, { ...range, after });
    expect(slice.events.length).toBeLessThanOrEqual(range.countMax);
    events.push(...slice.events);
    if (slice.isEnd) return events;
    expect(slice.reached).toBeDefined();
    after = slice.reached;
  }
  throw new Error("it does not end");
}

/** The id of an event whose sender gave one. */
export function idOf({ bytes }: StoredEvent): string {
  return fromBinary(EventSchema, bytes).id;
}
