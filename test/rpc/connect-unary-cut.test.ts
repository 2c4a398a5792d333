import { connect } from "node:http2";
import { describe, expect, it } from "vitest";
import { testKey, useHttpServer } from "../support/use-http-server.ts";

const server = useHttpServer({ http: { lingerMs: 100 } });

describe("a unary call over HTTP/2", () => {
  it.each<[what: string, body: string, headers: Record<string, string>, code: string, reason: string]>([
    ["too large without saying so", " ".repeat(4 << 20), {}, "RESOURCE_EXHAUSTED", "TOO_LARGE"],
    [
      "shorter than it announces, which is nobody's fault",
      "{}",
      { "content-length": "100" },
      "CANCELLED",
      "CALL_ENDED",
    ],
  ])("ends, with its record, when its body is %s", async (_, body, headers, code, reason) => {
    const session = connect(server().url);
    try {
      const stream = session.request({
        ":method": "POST",
        ":path": "/sluice.v1.EventService/Track",
        "content-type": "application/json",
        authorization: `Bearer ${testKey}`,
        ...headers,
      });
      stream.on("error", () => {});
      stream.resume();
      stream.end(body);
      await new Promise((resolve) => stream.once("close", resolve));

      expect(await server().onlyRecord()).toMatchObject({ code, reason });
    } finally {
      session.destroy();
    }
  });
});
