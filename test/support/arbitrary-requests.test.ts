import fc from "fast-check";
import { expect, it } from "vitest";
import { dialects } from "../../src/http/dialects.ts";
import { arbitraryRequest, validBody } from "./arbitrary-requests.ts";
import { madeUp } from "./made-up-dialect.ts";

const sender = { key: "the-key", project: "mine" };

it("makes requests to all endpoints of a dialect that has no fixtures", () => {
  const requests = fc.sample(arbitraryRequest(madeUp, sender), { numRuns: 300, seed: 1 });

  expect(new Set(requests.map(({ endpoint }) => endpoint.name))).toEqual(
    new Set(madeUp.endpoints.map(({ name }) => name)),
  );
  for (const { path } of requests) expect(path).not.toContain(":");
});

it.each(dialects.map((dialect) => [dialect.entrance, dialect] as const))(
  "has a valid body for each endpoint of %s, with the key in its place",
  (_, dialect) => {
    const endpoints = dialect.endpoints.filter(({ kind }) => kind === "track");
    for (const endpoint of endpoints) {
      const body = JSON.stringify(validBody(dialect, endpoint, sender));
      expect(body).toContain('"');
      expect(body).not.toContain("<key>");
    }
  },
);
