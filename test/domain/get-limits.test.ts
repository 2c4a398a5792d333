import { describe, expect, it } from "vitest";
import { createGetLimits } from "../../src/domain/get-limits.ts";
import { eventToAppend, newProject } from "../support/events.ts";
import { createFakeEventLog } from "../support/fake-event-log.ts";

describe("createGetLimits", () => {
  it("says how the project is configured, what is left, and how much it holds", async () => {
    const log = createFakeEventLog();
    const project = newProject({ rateLimits: [{ events: 5, perMs: 1000 }], eventsMax: 7 });
    await log.append(project, "grpc", [eventToAppend("a"), eventToAppend("b")]);

    expect(await createGetLimits(log)({ project, environments: [] })).toMatchObject({
      settings: project.settings,
      quotas: [{ limit: { events: 5 }, remaining: 3 }],
      eventCount: 2,
    });
  });

  it.each([
    ["all, where neither the project nor the key names any", [], [], []],
    ["the project's, with a key that is bound to none", ["production"], [], ["production"]],
    ["the key's", ["production", "staging"], ["staging"], ["staging"]],
  ])("names the environments that the key may use: %s", async (_, ofProject, ofKey, expected) => {
    const project = newProject({ environments: ofProject });
    const limits = await createGetLimits(createFakeEventLog())({ project, environments: ofKey });

    expect(limits.environments).toEqual(expected);
  });
});
