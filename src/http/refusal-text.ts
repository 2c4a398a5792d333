import type { Violation } from "../domain/errors.ts";
import type { Refusal } from "./refusal.ts";

/** What is wrong with a field of an event, in a sentence without an end. */
export function violationText({ field, message }: Violation): string {
  return `${field || "the event"} ${message}`;
}

/** Why a request is refused, in a sentence with the vendor's name of the field at fault, if there is one. */
export function refusalText({ message, violations: [violation] }: Pick<Refusal, "message" | "violations">): string {
  return violation === undefined ? message : violationText(violation);
}
