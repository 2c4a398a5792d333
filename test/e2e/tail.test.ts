import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Client, Transport } from "@connectrpc/connect";
import { ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport, createGrpcTransport, createGrpcWebTransport } from "@connectrpc/connect-node";
import { afterAll, describe, expect, it } from "vitest";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import { digestKey } from "../../src/domain/access.ts";
import { SluiceProcess, useSluice } from "../support/sluice-process.ts";
import { waitUntil } from "../support/wait-until.ts";

const sluice = useSluice();
const folder = mkdtempSync(join(tmpdir(), "sluice-tail-"));
afterAll(() => rmSync(folder, { recursive: true }));

const headersOf = (key: string) => ({ authorization: `Bearer ${key}` });
const reasonOf = (thrown: unknown) => ConnectError.from(thrown).findDetails(ErrorInfoSchema)[0]?.reason;

function clientOf({ grpcAddress }: SluiceProcess): Client<typeof EventService> {
  return createClient(EventService, createGrpcTransport({ baseUrl: `http://${grpcAddress}` }));
}

async function track(client: Client<typeof EventService>, key: string, id: string): Promise<void> {
  await client.track({ event: { id, name: "click" } }, { headers: headersOf(key) });
}

/** Opens a tail from now on, and gathers the ids of what it gets. Resolves when it has begun. */
async function openTail(client: Client<typeof EventService>, key: string) {
  const ids: string[] = [];
  const began = Promise.withResolvers<void>();
  const ended = (async () => {
    for await (const { events } of client.tailEvents({}, { headers: headersOf(key) })) {
      ids.push(...events.map(({ id }) => id));
      began.resolve();
    }
  })().catch(reasonOf);
  await Promise.race([began.promise, ended]);
  return { ids, ended };
}

describe("a tail", () => {
  it("has what is stored from now on, over every port and protocol, in one order", async () => {
    await sluice.start();
    const baseUrl = `http://${sluice.httpAddress}`;
    const transports: Transport[] = [
      createGrpcTransport({ baseUrl: `http://${sluice.grpcAddress}` }),
      createGrpcTransport({ baseUrl }),
      createGrpcWebTransport({ baseUrl, httpVersion: "1.1" }),
      createConnectTransport({ baseUrl, httpVersion: "1.1", useBinaryFormat: false }),
      createConnectTransport({ baseUrl, httpVersion: "2" }),
    ];
    const clients = transports.map((transport) => createClient(EventService, transport));
    const tails = await Promise.all(clients.map((client) => openTail(client, sluice.key)));
    const sent: string[] = [];

    for (let i = 0; i < 50; i++) {
      for (const [n, client] of clients.entries()) {
        sent.push(`${i}/${n}`);
        await track(client, sluice.key, `${i}/${n}`);
      }
    }

    for (const { ids } of tails) {
      await waitUntil(() => ids.length === sent.length);
      expect(ids).toEqual(sent);
    }
  });

  it("outlasts a Redis that is killed, and loses nothing", async () => {
    const client = clientOf(sluice);
    const { ids } = await openTail(client, sluice.key);
    const acked: string[] = [];

    for (let kill = 0; kill < 2; kill++) {
      const pid = sluice.redisPid;
      process.kill(pid, "SIGKILL");
      await waitUntil(() => sluice.redisPid !== pid);
      const wanted = acked.length + 20;
      for (let n = 0; acked.length < wanted; n++) {
        const id = `${kill}-${n}`;
        await waitUntil(() =>
          track(client, sluice.key, id).then(
            () => true,
            () => false,
          ),
        );
        acked.push(id);
      }
    }

    await waitUntil(() => ids.length === acked.length);
    expect(ids).toEqual(acked);
  });

  it("ends with the server, which does not wait for it", async () => {
    const { ended } = await openTail(clientOf(sluice), sluice.key);

    expect(await sluice.end()).toBe(0);

    expect(await ended).toBe("SHUTTING_DOWN");
  });

  it("is cut once its key is taken away", async () => {
    const path = join(folder, "projects.yaml");
    const keyLine = (name: string) =>
      `    - { name: ${name}, permissions: [track, list], secret: "sha256:${digestKey(`${name}-0123456789`)}" }\n`;
    const write = (...names: string[]) => {
      writeFileSync(`${path}.new`, `projects:\n  shop:\n    keys:\n${names.map(keyLine).join("")}`);
      renameSync(`${path}.new`, path);
    };
    write("first", "second");
    const server = new SluiceProcess({ SLUICE_CONFIG: path });
    try {
      await server.start();
      const client = clientOf(server);
      const { ended } = await openTail(client, "first-0123456789");

      write("second");
      await waitUntil(() => server.log.includes("the configuration has changed"));
      await track(client, "second-0123456789", "a");

      expect(await ended).toBe("KEY_INVALID");
    } finally {
      await server.remove();
    }
  });
});
