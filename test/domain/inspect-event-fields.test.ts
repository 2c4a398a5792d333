import { type DescField, ScalarType } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { inspectEventBytes } from "../../src/domain/inspect-event-bytes.ts";
import { field, varint } from "../support/wire-fields.ts";

const outputOnly = ["cursor", "receive_time", "entrance"];

/** The encoding of an event that has nothing but this field. */
function encodeField(desc: DescField): Uint8Array {
  if (desc.fieldKind === "map") return field(desc.number, field(1, "kind"), field(2, "id"));
  if (desc.fieldKind === "message") return field(desc.number, new Uint8Array());
  if (desc.scalar === ScalarType.BOOL) return varint(desc.number, 1);
  if (desc.scalar === ScalarType.DOUBLE) return Uint8Array.of((desc.number << 3) | 1, 0, 0, 0, 0, 0, 0, 0, 0);
  return field(desc.number, "text");
}

describe("inspectEventBytes", () => {
  it.each(EventSchema.fields.map((desc) => [desc.name, desc] as const))(
    "knows the contract's field %s",
    (name, desc) => {
      expect(inspectEventBytes(encodeField(desc))).toBe(outputOnly.includes(name) ? "stripping" : "clean");
    },
  );
});
