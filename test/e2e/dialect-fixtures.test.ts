import { describe, expect, it } from "vitest";
import { digestKey } from "../../src/domain/access.ts";
import { dialects } from "../../src/http/dialects.ts";
import { callJson, contentOf, listAllEvents } from "../support/listed-events.ts";
import { type DialectFixture, readFixtures, runFixture } from "../support/run-fixture.ts";
import { useConfiguredSluice } from "../support/use-configured-sluice.ts";

const fixtures = readFixtures();
const projectOf = ({ entrance, name }: DialectFixture) => `${entrance}-${name}`;
const keyOf = (fixture: DialectFixture) => `key-of-${projectOf(fixture)}`;

/** A project for each, so that none sees another's events. */
const projects = fixtures.map((fixture) => {
  const secret = `sha256:${digestKey(keyOf(fixture))}`;
  return `  ${projectOf(fixture)}:\n    keys: [{ name: all, secret: "${secret}", permissions: [track, list] }]\n`;
});
const sluice = useConfiguredSluice(`projects:\n${projects.join("")}`);

describe("the sample requests of the vendors' documents", () => {
  it.each(dialects.map(({ entrance }) => entrance))("are there for %s", (entrance) => {
    expect(fixtures.filter((fixture) => fixture.entrance === entrance)).not.toEqual([]);
  });

  it.each(fixtures.map((fixture) => [projectOf(fixture), fixture] as const))("name the source of %s", (_, { text }) => {
    expect(text).toMatch(/^(\/\/|#) Source: \S.*https:\/\/\S+/m);
  });

  it.each(fixtures.map((fixture) => [projectOf(fixture), fixture] as const))(
    "get the answer of the document, and are listed: %s",
    async (project, fixture) => {
      const target = { url: `http://${sluice.httpAddress}`, key: keyOf(fixture), project };
      const { given = [], status, reply, events } = fixture.expected;
      if (given.length > 0) await callJson(target.url, target.key, "TrackMany", { events: given });

      const answer = await runFixture(fixture, target);

      expect(answer).toEqual({ status, reply: fillIn(reply) });
      const listed = (await listAllEvents(target.url, target.key)).slice(given.length);
      expect(listed.map((event) => ({ ...contentOf(event), entrance: event.entrance }))).toEqual(events);
    },
  );
});

const placeholders: Readonly<Record<string, unknown>> = {
  "<id>": expect.stringMatching(/./),
  "<time>": expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/),
  "<seconds>": expect.any(Number),
};

/** An expected reply, where a placeholder stands for whatever is right there. */
function fillIn(reply: unknown): unknown {
  if (Array.isArray(reply)) return reply.map(fillIn);
  if (typeof reply === "string") return placeholders[reply] ?? reply;
  if (typeof reply !== "object" || reply === null) return reply;
  return Object.fromEntries(Object.entries(reply).map(([key, value]) => [key, fillIn(value)]));
}
