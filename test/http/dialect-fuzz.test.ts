import { gzipSync } from "node:zlib";
import { fromBinary, toJsonString } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { dialects } from "../../src/http/dialects.ts";
import { arbitraryRequest, authorizationOf, nearMisses, pathOf, validBody } from "../support/arbitrary-requests.ts";
import { findShapeFault } from "../support/refusal-shape.ts";
import { sendRequest } from "../support/send-request.ts";
import { testKey } from "../support/test-keys.ts";
import { useDialects } from "../support/use-dialects.ts";

const start = useDialects();

const toBomb = (bytesMax: number) => gzipSync(Buffer.alloc(4 * bytesMax, " "));

const byEntrance = dialects.map((dialect) => [dialect.entrance, dialect] as const);

describe.each(byEntrance)("whatever is asked of %s", (entrance, dialect) => {
  it("is answered, never with 5xx, and refused in the vendor's shape", { timeout: 60_000 }, async () => {
    const { port, project, log } = await start();
    const sender = { key: testKey, project: project.name };
    const statuses = new Map<number, number>();

    await fc.assert(
      fc.asyncProperty(arbitraryRequest(dialect, sender), async (request) => {
        const answer = await sendRequest(port, request);

        statuses.set(answer.status, (statuses.get(answer.status) ?? 0) + 1);
        expect(answer.status).toBeGreaterThanOrEqual(200);
        expect(answer.status).toBeLessThan(500);
        // The answer to HEAD has no body.
        if (answer.status >= 400 && request.method !== "HEAD") {
          expect({ ...answer, fault: findShapeFault(entrance, answer) }).toEqual({ ...answer, fault: undefined });
        }
      }),
      { numRuns: 500 },
    );

    // Most are nearly right, so that all that a dialect does is reached.
    expect(log.stored(project).length).toBeGreaterThan(10);
    for (const status of [400, 401, 405, 415]) expect(statuses.get(status), String(status)).toBeGreaterThan(0);
    for (const { bytes } of log.stored(project)) toJsonString(EventSchema, fromBinary(EventSchema, bytes));
  });

  it("is answered so whatever one field of a body is, or if it is not there", async () => {
    const { port, project } = await start();
    const sender = { key: testKey, project: project.name };
    for (const endpoint of dialect.endpoints) {
      const valid = validBody(dialect, endpoint, sender);
      if (valid === undefined) continue;
      for (const text of nearMisses(valid)) {
        const headers = { authorization: authorizationOf(dialect, testKey), "content-type": "application/json" };
        const body = Buffer.from(text);
        const answer = await sendRequest(port, { method: "POST", path: pathOf(endpoint, project.name), headers, body });

        expect({ text, isFault: answer.status >= 500 }).toEqual({ text, isFault: false });
        if (answer.status >= 400)
          expect({ text, fault: findShapeFault(entrance, answer) }).toEqual({ text, fault: undefined });
      }
    }
  });

  const endpoints = dialect.endpoints.flatMap((endpoint) => (endpoint.kind === "track" ? [endpoint] : []));
  it.each(
    endpoints.flatMap((endpoint) => [
      [endpoint.name, "one byte too long", endpoint, (max: number) => Buffer.alloc(max + 1, " ")] as const,
      // A body that is read before its key is known may not be packed.
      ...(endpoint.keyInBody === undefined ? [[endpoint.name, "too long inflated", endpoint, toBomb] as const] : []),
    ]),
  )("is 413 in the vendor's shape for a body of %s that is %s", async (_, __, endpoint, toBody) => {
    const { port, project } = await start();
    const body = toBody(endpoint.bodyBytesMax);
    const isGzip = body.length < endpoint.bodyBytesMax;

    const answer = await sendRequest(port, {
      method: "POST",
      path: pathOf(endpoint, project.name),
      headers: { authorization: authorizationOf(dialect, testKey), ...(isGzip && { "content-encoding": "gzip" }) },
      body,
    });

    expect(answer.status).toBe(413);
    expect(findShapeFault(entrance, answer)).toBeUndefined();
  });
});
