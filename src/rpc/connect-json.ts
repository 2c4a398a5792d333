import { toUnread } from "./connect-refusal.ts";
import { quoteEvents } from "./json-events.ts";

const textDecoder = new TextDecoder("utf-8", { fatal: true });

/** Field names that are not known are ignored, so that older servers take what newer clients send. */
export const jsonOptions = { ignoreUnknownFields: true, textDecoder };

/** For reads: a filter that is not known would be taken for none, and the answer for another question's. */
export const strictJsonOptions = { ...jsonOptions, ignoreUnknownFields: false };

/** For messages that hold events, each of which is left as its JSON, in a string. */
export const quotedJsonOptions = {
  ...jsonOptions,
  textDecoder: {
    decode(bytes?: Uint8Array): string {
      const text = textDecoder.decode(bytes);
      return toUnread(() => quoteEvents(text));
    },
  },
};
