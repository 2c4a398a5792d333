import { connect } from "node:http2";
import { describe, expect, it } from "vitest";
import { testKey, useHttpServer } from "../support/use-http-server.ts";

const server = useHttpServer({ http: { lingerMs: 100 } });

describe("a unary call whose body is too large without saying so", () => {
  it("ends over HTTP/2, with its record", async () => {
    const session = connect(server().url);
    try {
      const stream = session.request({
        ":method": "POST",
        ":path": "/sluice.v1.EventService/Track",
        "content-type": "application/json",
        authorization: `Bearer ${testKey}`,
      });
      stream.on("error", () => {});
      stream.resume();
      stream.end(Buffer.alloc(4 << 20, " "));
      await new Promise((resolve) => stream.once("close", resolve));

      expect(await server().onlyRecord()).toMatchObject({ reason: "TOO_LARGE" });
    } finally {
      session.destroy();
    }
  });
});

describe("a unary call over HTTP/2 that is shorter than it announces", () => {
  it("is nobody's fault", async () => {
    const session = connect(server().url);
    try {
      const stream = session.request({
        ":method": "POST",
        ":path": "/sluice.v1.EventService/Track",
        "content-type": "application/json",
        "content-length": "100",
        authorization: `Bearer ${testKey}`,
      });
      stream.on("error", () => {});
      stream.resume();
      stream.end("{}");
      await new Promise((resolve) => stream.once("close", resolve));

      expect(await server().onlyRecord()).toMatchObject({ code: "CANCELLED", reason: "CALL_ENDED" });
    } finally {
      session.destroy();
    }
  });
});
