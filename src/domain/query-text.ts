import { isLongerThan } from "./text-length.ts";

/** What is wrong with a text of a query: its length, in code points, or that it is no valid Unicode. */
export function findTextFault(text: string, lengthMin: number, lengthMax: number): string | undefined {
  if (text.length < lengthMin || isLongerThan(text, lengthMax)) {
    if (lengthMin === 0) return `is longer than ${lengthMax} characters`;
    return `is not ${lengthMin} to ${lengthMax} characters long`;
  }
  // No event has such a text, but in UTF-8 it would look like one that an event may have.
  return text.isWellFormed() ? undefined : "is not valid Unicode";
}
