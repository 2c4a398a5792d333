import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import { dialects } from "../../src/http/dialects.ts";
import { arbitraryRequest } from "../support/arbitrary-requests.ts";
import { callJson, listAllEvents } from "../support/listed-events.ts";
import { findShapeFault } from "../support/refusal-shape.ts";
import { sendRequest } from "../support/send-request.ts";
import { useSluice } from "../support/sluice-process.ts";

const sluice = useSluice();
beforeAll(() => sluice.start());

describe("a server of which dialects are asked whatever there is", () => {
  it.each(dialects.map((dialect) => [dialect.entrance, dialect] as const))(
    "answers, and goes on serving what it stored and what it rejected: %s",
    { timeout: 60_000 },
    async (entrance, dialect) => {
      const url = `http://${sluice.httpAddress}`;
      const port = Number(new URL(url).port);

      await fc.assert(
        fc.asyncProperty(arbitraryRequest(dialect, { key: sluice.key, project: "dev" }), async (request) => {
          const answer = await sendRequest(port, request);

          expect(answer.status).toBeLessThan(500);
          if (answer.status >= 400 && request.method !== "HEAD") {
            expect(findShapeFault(entrance, answer)).toBeUndefined();
          }
        }),
        { numRuns: 200 },
      );

      const stored = await listAllEvents(url, sluice.key);
      expect(stored.some((event) => event.entrance === entrance)).toBe(true);
      expect(await callJson(url, sluice.key, "ListRejectedEvents", { pageSize: 1000 })).toMatchObject({
        events: expect.any(Array),
      });
      expect(sluice.log).not.toMatch(/"level":[56]0/);
      expect(sluice.log).not.toContain(sluice.key);
    },
  );
});
