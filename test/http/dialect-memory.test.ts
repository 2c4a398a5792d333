import type { JsonValue } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import type { Dialect, Offer, TrackEndpoint } from "../../src/http/dialect.ts";
import { dialects } from "../../src/http/dialects.ts";
import { validBody } from "../support/arbitrary-requests.ts";
import { collectGarbage } from "../support/collect-garbage.ts";
import { readRequest } from "../support/serve-as-dialect.ts";
import { testKey } from "../support/test-keys.ts";

const endpoints = dialects.flatMap((dialect) =>
  dialect.endpoints.flatMap((endpoint) =>
    endpoint.kind === "track" ? [[endpoint.name, dialect, endpoint] as const] : [],
  ),
);

/** A body read as it comes, and whether it is still in memory. */
function read(endpoint: TrackEndpoint, text: string): { offer: Offer; body: WeakRef<object> } {
  const body: JsonValue = JSON.parse(text);
  if (typeof body !== "object" || body === null) throw new Error("a body without parts");
  return { offer: readRequest(endpoint, { body }), body: new WeakRef(body) };
}

function validText(dialect: Dialect, endpoint: TrackEndpoint): string {
  const valid = validBody(dialect, endpoint, { key: testKey, project: "mine" });
  if (valid === undefined) throw new Error(`the fixtures have no body for ${endpoint.name}`);
  return JSON.stringify(valid);
}

describe("what waits for storage", () => {
  it.each(endpoints)("has nothing of a body of %s but its events", async (_, dialect, endpoint) => {
    const { offer, body } = read(endpoint, validText(dialect, endpoint));
    await collectGarbage();

    expect(offer.events.length).toBeGreaterThan(0);
    expect(body.deref()).toBeUndefined();
  });
});
