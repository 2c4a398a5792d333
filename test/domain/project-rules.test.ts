import { create } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { checkProjectRules, environmentFor } from "../../src/domain/project-rules.ts";
import type { EventInit } from "../support/events.ts";
import { newProject } from "../support/events.ts";

/** The reason of the breach, if there is one. */
function check(init: EventInit, settings: Parameters<typeof newProject>[0], environments: readonly string[] = []) {
  return checkProjectRules(create(EventSchema, init), { project: newProject(settings), environments });
}

describe("environmentFor", () => {
  it.each([
    ["nothing", [], ""],
    ["one environment", ["staging"], "staging"],
    ["two environments", ["production", "staging"], ""],
  ])("fills in, with a key that is bound to %s", (_, environments, expected) => {
    expect(environmentFor({ environments })).toBe(expected);
  });
});

describe("checkProjectRules", () => {
  const none: string[] = [];
  const both = ["production", "staging"];
  it.each([
    // The project's, the key's, the event's.
    [none, none, "", undefined],
    [none, none, "anything", undefined],
    [both, none, "", undefined],
    [both, none, "staging", undefined],
    [both, none, "Staging", "EVENT_INVALID"],
    [both, ["staging"], "", undefined],
    [both, ["staging"], "staging", undefined],
    [both, ["staging"], "production", "ENVIRONMENT_FORBIDDEN"],
    [both, ["staging"], "test", "EVENT_INVALID"],
    [both, both, "", "ENVIRONMENT_FORBIDDEN"],
    [both, both, "production", undefined],
    [both, both, "test", "EVENT_INVALID"],
    [none, ["staging"], "", undefined],
    [none, ["staging"], "production", "ENVIRONMENT_FORBIDDEN"],
    [none, both, "", "ENVIRONMENT_FORBIDDEN"],
    // The key was not changed along with its project.
    [["production"], ["staging"], "", "EVENT_INVALID"],
  ])("with the project's environments %j and the key's %j, says of %j: %s", (projects, keys, environment, reason) => {
    const breach = check({ environment }, { environments: projects }, keys);

    expect(breach?.reason).toBe(reason);
    if (breach !== undefined) expect(breach.violation.field).toBe("environment");
  });

  it.each<[string[], string[], string | undefined]>([
    [[], ["anything"], undefined],
    [["user"], [], undefined],
    [["user", "account"], ["account", "user"], undefined],
    [["user"], ["user", "visitor"], 'identities["visitor"]'],
    [["user"], ["constructor"], 'identities["constructor"]'],
  ])("with the kinds of identities %j, says of %j: %s", (identityKinds, kinds, field) => {
    const identities = Object.fromEntries(kinds.map((kind) => [kind, "x"]));
    const breach = check({ identities }, { identityKinds });

    expect(breach?.violation.field).toBe(field);
    if (breach !== undefined) expect(breach.reason).toBe("EVENT_INVALID");
  });
});
