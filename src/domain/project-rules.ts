import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import type { Violation } from "./errors.ts";
import type { RejectionReason } from "./outcome.ts";
import type { Caller } from "./project.ts";
import { fault } from "./validate-event.ts";

/** What a project, or the key that is used, has against an event that is valid in itself. */
export interface RuleBreach {
  readonly reason: Extract<RejectionReason, "EVENT_INVALID" | "ENVIRONMENT_FORBIDDEN">;
  readonly violation: Violation;
}

/** The environment that an event gets from its key when it names none: the key's, if that is bound to exactly one. */
export function environmentFor({ environments }: Pick<Caller, "environments">): string {
  return environments.length === 1 ? (environments[0] ?? "") : "";
}

/** Checks an event against the rules of the project and of the key; first breach only. */
export function checkProjectRules(
  event: Pick<Event, "environment" | "identities">,
  caller: Pick<Caller, "project" | "environments">,
): RuleBreach | undefined {
  const { environments, identityKinds } = caller.project.settings;
  const environment = event.environment || environmentFor(caller);
  if (environment !== "" && environments.length > 0 && !environments.includes(environment)) {
    return invalid("environment", "is none of the project's");
  }
  if (caller.environments.length > 0 && !caller.environments.includes(environment)) {
    const message = environment === "" ? "is required with this key" : "is none that this key may send to";
    return { reason: "ENVIRONMENT_FORBIDDEN", violation: fault("environment", message) };
  }
  if (identityKinds.length > 0) {
    const kind = Object.keys(event.identities).find((one) => !identityKinds.includes(one));
    if (kind !== undefined) return invalid(`identities["${kind}"]`, "is of a kind that the project does not have");
  }
  return undefined;
}

function invalid(field: string, message: string): RuleBreach {
  return { reason: "EVENT_INVALID", violation: fault(field, message) };
}
