import { BinaryReader, WireType } from "@bufbuild/protobuf/wire";

/** Numbers of the text fields of an event that filters look at. */
const fields = { name: 2, environment: 7 } as const;

/**
 * A text of an event, read from its encoding; empty when it has none. A filter that looks at thousands of events cannot
 * decode each of them whole.
 */
export function readEventText(bytes: Uint8Array, field: keyof typeof fields): string {
  const tag = (fields[field] << 3) | WireType.LengthDelimited;
  const reader = new BinaryReader(bytes);
  let text = "";
  while (reader.pos < reader.len) {
    const next = reader.uint32();
    // The last one counts, as for every decoder: an environment that was filled in stands at the end.
    if (next === tag) text = reader.string();
    else reader.skip(next & 7, next >>> 3);
  }
  return text;
}
