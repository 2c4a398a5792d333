import type { StoredEvent } from "./ports.ts";

/**
 * The same event with bytes of its own. As storage gives them, bytes are parts of whatever else was received with them,
 * and keep all of it in memory: who keeps an event for longer than it looks at it keeps this.
 */
export function withOwnBytes(event: StoredEvent): StoredEvent {
  const { bytes } = event;
  return bytes.length === bytes.buffer.byteLength ? event : { ...event, bytes: new Uint8Array(bytes) };
}
