import { create, fromJson, type JsonObject, toBinary } from "@bufbuild/protobuf";
import { StructSchema, timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Event, EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { realEvents } from "./real-events.ts";

/** Events that are all different, by number; each has a visitor, and an order of its own. */
export interface DataSet {
  /** Also the project that it is in. */
  readonly name: string;
  readonly eventCount: number;
  eventAt(number: number): { readonly id: string; readonly bytes: Uint8Array };
}

/** What is looked for in data sets, and in how many events each of it is one. */
export const rare = {
  name: { every: 50, value: "rare_name" },
  visitor: { every: 100_000, value: "rare-visitor" },
  orderId: { every: 100_000, value: "rare-order" },
  /** Of a property that is not indexed, and that all events have. */
  path: { every: 100_000, value: "/rare" },
} as const;

/** What each project of a data set has indexed. */
export const indexedProperties: readonly string[] = ["orderId"];

/** The real events over and over, with ids of their own. */
export function realDataSet(name: string, eventCount: number): DataSet {
  return createDataSet(name, eventCount, realEvents);
}

/** Events of about 120 bytes. */
export function tinyDataSet(name: string, eventCount: number): DataSet {
  const templates = Array.from({ length: 10_000 }, (_, i) =>
    create(EventSchema, {
      name: `name_${i % 20}`,
      identities: { visitor: (0x10000000 + i * 7919).toString(16) },
      time: timestampFromMs(1_700_000_000_000 + i * 1000),
      value: i,
      properties: { path: `/section-${i % 30}/page-${i % 300}` },
    }),
  );
  return createDataSet(name, eventCount, templates);
}

function createDataSet(name: string, eventCount: number, events: readonly Event[]): DataSet {
  const common = events.map(prepare);
  const named = events.map((event) => prepare({ ...event, name: rare.name.value }));
  return {
    name,
    eventCount,
    eventAt(number) {
      const id = `${name}-${number}`;
      const i = number % events.length;
      const template = special(number, events[i]) ?? (isRare(number, rare.name) ? named[i] : common[i]);
      if (template === undefined) throw new Error("a data set needs events");
      const orderId = isRare(number, rare.orderId) ? rare.orderId.value : `order-${number}`;
      return { id, bytes: encode(template, id, orderId) };
    },
  };
}

/** Those that come last in their turn, each a little before the other: no event is rare twice. */
const turns: readonly { readonly every: number }[] = Object.values(rare);

function isRare(number: number, one: { readonly every: number }): boolean {
  return number % one.every === one.every - 1 - turns.indexOf(one);
}

function special(number: number, event: Event | undefined): Template | undefined {
  if (event === undefined) return undefined;
  if (isRare(number, rare.visitor)) return prepare({ ...event, identities: { visitor: rare.visitor.value } });
  if (isRare(number, rare.path))
    return prepare({ ...event, properties: { ...event.properties, path: rare.path.value } });
  return undefined;
}

/** An event without what each has of its own, encoded. */
interface Template {
  readonly fields: Uint8Array;
  readonly properties: Uint8Array;
}

function prepare(event: Event): Template {
  const { properties, ...fields } = event;
  return {
    fields: toBinary(EventSchema, create(EventSchema, { ...fields, id: "" })),
    properties: encodeStruct(properties ?? {}),
  };
}

function encodeStruct(properties: JsonObject): Uint8Array {
  return toBinary(StructSchema, fromJson(StructSchema, properties));
}

/** By hand, as ten million are needed; the texts are short, and ASCII. */
function encode({ fields, properties }: Template, id: string, orderId: string): Uint8Array {
  const idField = field(EventSchema.field.id.number, id);
  // An entry of the map in google.protobuf.Struct: its key, and a google.protobuf.Value with a string.
  const order = field(1, field(1, "orderId") + field(2, field(3, orderId)));
  const propertiesTag = tagOf(EventSchema.field.properties.number);
  const size = properties.length + order.length;
  const sizeBytes = size < 0x80 ? [size] : [(size & 0x7f) | 0x80, size >>> 7];
  const bytes = Buffer.allocUnsafe(idField.length + fields.length + 1 + sizeBytes.length + size);
  let at = bytes.write(idField, "latin1");
  bytes.set(fields, at);
  at += fields.length;
  bytes[at++] = propertiesTag;
  for (const byte of sizeBytes) bytes[at++] = byte;
  bytes.set(properties, at);
  bytes.write(order, at + properties.length, "latin1");
  return bytes;
}

/** A field whose value has a length, of less than 128. */
function field(number: number, value: string): string {
  return String.fromCharCode(tagOf(number), value.length) + value;
}

function tagOf(number: number): number {
  return (number << 3) | 2;
}
