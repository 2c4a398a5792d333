import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

const nameField = 2;

/** The name in an event's encoding. A filter that looks at thousands of events cannot decode each of them whole. */
export function readEventName(bytes: Uint8Array): string {
  const reader = new BinaryReader(bytes);
  let name = "";
  while (reader.pos < reader.len) {
    const next = reader.uint32();
    if (next === ((nameField << 3) | WireType.LengthDelimited)) name = reader.string();
    else reader.skip(next & 7, next >>> 3);
  }
  return name;
}
