import type { MessageInitShape } from "@bufbuild/protobuf";
import { NullValue, timestampFromMs, type ValueSchema } from "@bufbuild/protobuf/wkt";
import type { EventFilterSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { FilterQuery, PropertyScalar } from "../../src/domain/event-filter.ts";

/** A filter as a client sends it. Throws for one that the contract cannot say: a property that may equal several. */
export function toFilterMessage(query: FilterQuery): MessageInitShape<typeof EventFilterSchema> {
  const { names, identity, environment, values, valueMin, valueMax, properties, receivedFromMs, receivedUntilMs } =
    query;
  return {
    names: [...names],
    ...(identity && { identity }),
    environment,
    values: [...values],
    ...(valueMin !== undefined && { valueMin }),
    ...(valueMax !== undefined && { valueMax }),
    properties: Object.fromEntries([...properties].map(([name, scalars]) => [name, toValue(scalars)])),
    ...(receivedFromMs !== undefined && { receiveTimeFrom: timestampFromMs(receivedFromMs) }),
    ...(receivedUntilMs !== undefined && { receiveTimeUntil: timestampFromMs(receivedUntilMs) }),
    includeTest: query.includeTest,
  };
}

function toValue([scalar, ...others]: readonly PropertyScalar[]): MessageInitShape<typeof ValueSchema> {
  if (scalar === undefined || others.length > 0) throw new Error("a property has one value in a message");
  if (scalar === null) return { kind: { case: "nullValue", value: NullValue.NULL_VALUE } };
  if (typeof scalar === "string") return { kind: { case: "stringValue", value: scalar } };
  if (typeof scalar === "number") return { kind: { case: "numberValue", value: scalar } };
  return { kind: { case: "boolValue", value: scalar } };
}
