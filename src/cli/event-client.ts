import type { Client, Interceptor } from "@connectrpc/connect";
import { createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";

/** What the commands call; tests give one that needs no server. */
export type EventClient = Client<typeof EventService>;

/** Where the server is, and what opens a project there. */
export interface ClientSettings {
  readonly url: string;
  readonly key: string;
}

/** A client over HTTP/2, which TrackBatch needs to be held back by the server. A dead connection is noticed in 30 s. */
export function createEventClient({ url, key }: ClientSettings): EventClient {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${key}`);
    return next(request);
  };
  return createClient(
    EventService,
    createConnectTransport({
      baseUrl: url,
      httpVersion: "2",
      interceptors: [authorize],
      pingIntervalMs: 15_000,
      pingTimeoutMs: 15_000,
      readMaxBytes: 16 << 20,
    }),
  );
}
