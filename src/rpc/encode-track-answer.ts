import { toBinary } from "@bufbuild/protobuf";
import { QuotaSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { cursorLength, writeCursor } from "../domain/cursor.ts";
import type { Quota } from "../domain/quota.ts";
import type { StoredAnswer } from "../domain/track.ts";
import { toQuotaField } from "./quota-message.ts";

// Of sluice.v1.TrackResponse and google.protobuf.Timestamp.
const idTag = 0x0a;
const cursorTag = 0x12;
const duplicateTag = 0x18;
const receiveTimeTag = 0x22;
const quotaTag = 0x2a;
const secondsTag = 0x08;
const nanosTag = 0x10;

/** Of two tags, a varint of 53 bits and one of 30. */
const timestampBytesMax = 15;

/**
 * The encoding of the TrackResponse that stands for an answer, by hand and without a message: 0.6 µs instead of the
 * library's 4, and 1.5 KB less to collect. All calls of a chunk have the same quota, which is encoded once.
 */
export function encodeTrackAnswer({ outcome: { kind, id, position }, quotas }: StoredAnswer): Buffer {
  const quotaBytes = encodeQuota(quotas);
  const sizeMax = 6 + 3 * id.length + 2 + cursorLength + 2 + 2 + timestampBytesMax + 3 + quotaBytes.length;
  const response = Buffer.allocUnsafe(sizeMax);
  let offset = id === "" ? 0 : writeText(response, 0, idTag, id);
  response[offset] = cursorTag;
  response[offset + 1] = cursorLength;
  writeCursor(response, offset + 2, position);
  offset += 2 + cursorLength;
  if (kind === "duplicate") {
    response[offset++] = duplicateTag;
    response[offset++] = 1;
  }
  offset = writeTimestamp(response, offset, position.ms);
  if (quotaBytes.length > 0) {
    response[offset++] = quotaTag;
    offset = writeVarint(response, offset, quotaBytes.length);
    response.set(quotaBytes, offset);
    offset += quotaBytes.length;
  }
  return response.subarray(0, offset);
}

const nothing = new Uint8Array();
const encodedQuotas = new WeakMap<readonly Quota[], Uint8Array>();

/** The field's bytes; none where there is no rate limit. */
function encodeQuota(quotas: readonly Quota[]): Uint8Array {
  let encoded = encodedQuotas.get(quotas);
  if (encoded === undefined) {
    const { quota } = toQuotaField(quotas);
    encoded = quota === undefined ? nothing : toBinary(QuotaSchema, quota);
    encodedQuotas.set(quotas, encoded);
  }
  return encoded;
}

/** A text of less than 2 KiB in UTF-8. */
function writeText(target: Buffer, start: number, tag: number, text: string): number {
  target[start] = tag;
  // Nearly always it takes a byte, as the text is of ASCII and short.
  const length = target.write(text, start + 2, "utf8");
  const end = start + 2 + length;
  if (length < 0x80) {
    target[start + 1] = length;
    return end;
  }
  target.copyWithin(start + 3, start + 2, end);
  writeVarint(target, start + 1, length);
  return end + 1;
}

function writeTimestamp(target: Buffer, start: number, ms: number): number {
  target[start] = receiveTimeTag;
  const seconds = Math.floor(ms / 1000);
  const nanos = (ms - seconds * 1000) * 1_000_000;
  let offset = start + 2;
  if (seconds > 0) {
    target[offset++] = secondsTag;
    offset = writeVarint(target, offset, seconds);
  }
  if (nanos > 0) {
    target[offset++] = nanosTag;
    offset = writeVarint(target, offset, nanos);
  }
  target[start + 1] = offset - start - 2;
  return offset;
}

/** A whole number from 0 to 2^53. */
function writeVarint(target: Buffer, start: number, value: number): number {
  let offset = start;
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) target[offset++] = (rest % 0x80) | 0x80;
  target[offset++] = rest;
  return offset;
}
