import { create, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { BinaryReader } from "@bufbuild/protobuf/wire";
import { ListEventsRequestSchema, ListEventsResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { BytesClient } from "./grpc-client.ts";

/** What to list: a ListEventsRequest without its page. */
export type ListQuery = Omit<MessageInitShape<typeof ListEventsRequestSchema>, "$typeName" | "pageSize" | "pageToken">;

export function encodeListRequest(query: ListQuery, pageSize: number, pageToken: string): Buffer {
  const request = create(ListEventsRequestSchema, { ...query, pageSize, pageToken });
  return Buffer.from(toBinary(ListEventsRequestSchema, request));
}

/** What a page is of, without its events: decoding these would measure the client. */
export function readPage(bytes: Uint8Array): { eventCount: number; nextPageToken: string } {
  const { events, nextPageToken: token } = ListEventsResponseSchema.field;
  const reader = new BinaryReader(bytes);
  let eventCount = 0;
  let nextPageToken = "";
  while (reader.pos < reader.len) {
    const [field, wireType] = reader.tag();
    if (field === token.number) nextPageToken = reader.string();
    else reader.skip(wireType);
    if (field === events.number) eventCount++;
  }
  return { eventCount, nextPageToken };
}

const stepMax = 1000;

/**
 * The token of the page behind so many events, got by paging up to there. Undefined when there are not so many, or it is
 * not reached in time.
 */
export async function walk(
  client: BytesClient,
  query: ListQuery,
  eventCount: number,
  withinMs: number,
): Promise<string | undefined> {
  const endMs = performance.now() + withinMs;
  let token = "";
  for (let left = eventCount; left > 0; ) {
    if (performance.now() > endMs) return undefined;
    const page = readPage(await client.call("ListEvents", encodeListRequest(query, Math.min(left, stepMax), token)));
    if (page.nextPageToken === "") return undefined;
    token = page.nextPageToken;
    left -= page.eventCount;
  }
  return token;
}
