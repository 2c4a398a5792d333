import type { StoredEvent } from "./ports.ts";

/** What an event's answer holds beside its own bytes: cursor, receive time, entrance, assigned id, framing. */
const addedBytes = 80;

/** How large an event is in an answer, without encoding it. */
export function answerBytes({ bytes }: StoredEvent): number {
  return bytes.length + addedBytes;
}
