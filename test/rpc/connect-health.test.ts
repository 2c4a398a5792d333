import { Code, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { describe, expect, it } from "vitest";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/health/v1/health_pb.ts";
import { useHttpServer } from "../support/use-http-server.ts";

const server = useHttpServer();

const transports = [
  { name: "gRPC", connect: (baseUrl: string) => createGrpcTransport({ baseUrl }) },
  { name: "gRPC-Web", connect: (baseUrl: string) => createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }) },
  {
    name: "Connect JSON",
    connect: (baseUrl: string) => createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
  },
];

describe.each(transports)("health over $name, without a key", ({ connect }) => {
  const health = () => createClient(Health, connect(server().url));

  it.each(["", "sluice.v1.EventService"])("tells Check whether '%s' serves", async (service) => {
    expect((await health().check({ service })).status).toBe(Status.SERVING);
    server().setServing(false);
    expect((await health().check({ service })).status).toBe(Status.NOT_SERVING);
    server().setServing(true);
  });

  it("knows no other name", async () => {
    await expect(health().check({ service: "other" })).rejects.toMatchObject({ code: Code.NotFound });
    expect(await server().onlyRecord()).toMatchObject({ method: "Check", code: "NOT_FOUND" });
  });

  it("lists its names", async () => {
    const { statuses } = await health().list({});

    expect(Object.keys(statuses)).toEqual(["", "sluice.v1.EventService"]);
  });

  it("tells Watch of changes", async () => {
    const seen: Status[] = [];
    const aborter = new AbortController();

    for await (const { status } of health().watch({}, { signal: aborter.signal })) {
      seen.push(status);
      if (seen.length === 3) break;
      server().setServing(status !== Status.SERVING);
    }
    aborter.abort();

    expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING, Status.SERVING]);
  });

  it("lets Watch wait for a name that it does not know", async () => {
    const aborter = new AbortController();

    for await (const { status } of health().watch({ service: "other" }, { signal: aborter.signal })) {
      expect(status).toBe(Status.SERVICE_UNKNOWN);
      break;
    }
    aborter.abort();

    expect(await server().onlyRecord()).toMatchObject({ method: "Watch", reason: "CALL_ENDED" });
  });
});

describe("Watch", () => {
  it("ends at shutdown, with the status that holds then", async () => {
    const seen: Status[] = [];

    for await (const { status } of createClient(Health, createGrpcTransport({ baseUrl: server().url })).watch({})) {
      seen.push(status);
      server().setServing(false);
      server().shutDown();
    }

    expect(seen).toEqual([Status.SERVING, Status.NOT_SERVING]);
  });
});
