/** The events of TrackRequest, TrackManyRequest and TrackBatchRequest: field 1, length-delimited. */
const eventTag = 0x0a;

/**
 * The encodings of the events in a request of the Track methods, which are parts of its bytes; undefined when it holds
 * anything else or more events than that, or is no message: then the decoder has to look at it. It saves the decoder's
 * 1 µs for Track, and 0.3 µs for each event of a batch.
 */
export function readEventFields(bytes: Uint8Array, countMax: number): Uint8Array[] | undefined {
  const events: Uint8Array[] = [];
  let pos = 0;
  while (pos < bytes.length) {
    if (bytes[pos++] !== eventTag) return undefined;
    let length = 0;
    for (let shift = 0; ; shift += 7) {
      if (shift > 21 || pos >= bytes.length) return undefined;
      const byte = bytes[pos++] ?? 0;
      length |= (byte & 0x7f) << shift;
      if (byte < 0x80) break;
    }
    if (pos + length > bytes.length) return undefined;
    if (events.length === countMax) return undefined;
    events.push(bytes.subarray(pos, pos + length));
    pos += length;
  }
  return events;
}
