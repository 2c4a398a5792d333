import type { Timestamp, Value } from "@bufbuild/protobuf/wkt";
import type { EventFilter } from "../../gen/sluice/v1/event_service_pb.ts";
import type { FilterQuery, PropertyScalar } from "../domain/event-filter.ts";
import { invalidFilter } from "../domain/page-query.ts";
import { fault } from "../domain/validate-event.ts";

/** What matches everything but test events. */
const noFilter: FilterQuery = { names: [], environment: "", values: [], properties: new Map(), includeTest: false };

/**
 * The filter of a request. Times are rounded up to whole milliseconds, as events have no others. Throws FILTER_INVALID
 * for a time that is none, and for a property to equal something that is no scalar; all else is left to the domain.
 */
export function toFilterQuery(filter: EventFilter | undefined): FilterQuery {
  if (filter === undefined) return noFilter;
  const { names, identity, environment, values, valueMin, valueMax, properties, includeTest } = filter;
  return {
    names,
    identity,
    environment,
    values,
    valueMin,
    valueMax,
    properties: new Map(Object.entries(properties).map(([name, value]) => [name, [toScalar(name, value)]])),
    receivedFromMs: toMs("filter.receive_time_from", filter.receiveTimeFrom),
    receivedUntilMs: toMs("filter.receive_time_until", filter.receiveTimeUntil),
    includeTest,
  };
}

function toScalar(name: string, { kind }: Value): PropertyScalar {
  switch (kind.case) {
    case "stringValue":
    case "numberValue":
    case "boolValue":
      return kind.value;
    case "nullValue":
      return null;
    default: {
      const { field, message } = fault(
        `filter.properties[${JSON.stringify(name)}]`,
        "is no text, number, boolean or null",
      );
      throw invalidFilter(field, message);
    }
  }
}

/** 9999-12-31T23:59:59Z, the last second that a Timestamp can hold. */
const secondsMax = 253_402_300_799n;

function toMs(field: string, time: Timestamp | undefined): number | undefined {
  if (time === undefined) return undefined;
  const { seconds, nanos } = time;
  if (seconds < 0n || seconds > secondsMax || nanos < 0 || nanos > 999_999_999) {
    throw invalidFilter(field, "is not a time between the years 1970 and 9999");
  }
  return Number(seconds) * 1000 + Math.ceil(nanos / 1_000_000);
}
