import type { Client, Interceptor } from "@connectrpc/connect";
import { Code, ConnectError, createClient } from "@connectrpc/connect";
import { createConnectTransport } from "@connectrpc/connect-node";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";

/** What the commands call; tests give one that needs no server. */
export type EventClient = Client<typeof EventService>;

/** Where the server is, and what opens a project there. */
export interface ClientSettings {
  readonly url: string;
  readonly key: string;
  /** What to trust and show over https://, as PEM; absent for what Node trusts, and nothing. */
  readonly tls?: { readonly ca?: string; readonly cert?: string; readonly key?: string } | undefined;
}

/** A client over HTTP/2, which TrackBatch needs to be held back by the server. A dead connection is noticed in 30 s. */
export function createEventClient({ url, key, tls }: ClientSettings): EventClient {
  const authorize: Interceptor = (next) => (request) => {
    request.header.set("authorization", `Bearer ${key}`);
    return next(request);
  };
  return createClient(
    EventService,
    createConnectTransport({
      baseUrl: url,
      httpVersion: "2",
      nodeOptions: { ...tls },
      interceptors: [authorize, judgeTls],
      pingIntervalMs: 15_000,
      pingTimeoutMs: 15_000,
      readMaxBytes: 16 << 20,
    }),
  );
}

/** A certificate that is refused, by either side, will be so again: nobody need try another time. */
const judgeTls: Interceptor = (next) => async (request) => {
  try {
    return await next(request);
  } catch (error) {
    const fault = findTlsFault(error);
    if (fault === undefined) throw error;
    const text = `no TLS connection: ${fault}; SLUICE_TLS_CA, _CLIENT_CERT and _CLIENT_KEY set what to trust and show`;
    throw new ConnectError(text, Code.FailedPrecondition, undefined, undefined, error);
  }
};

const tlsCodes = /^(ERR_TLS_|ERR_SSL_|CERT_|UNABLE_TO_|SELF_SIGNED_|DEPTH_ZERO_|INVALID_(CA|PURPOSE)$)/;

function findTlsFault(error: unknown, depth = 0): string | undefined {
  if (!(error instanceof Error) || depth > 5) return undefined;
  if ("code" in error && typeof error.code === "string" && tlsCodes.test(error.code)) {
    // OpenSSL's message names places in its source; Node's gives advice that does not fit.
    const text = "reason" in error && typeof error.reason === "string" ? error.reason : error.message;
    return text.split(";")[0];
  }
  return findTlsFault(error.cause, depth + 1);
}
