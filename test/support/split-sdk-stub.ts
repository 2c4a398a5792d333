import { once } from "node:events";
import { createServer } from "node:http";

/** What Split's SDK asks of Split besides taking events, answered as by an account without feature flags. */
export interface SplitSdkStub extends AsyncDisposable {
  /** What the SDK's `urls` have to point at. */
  readonly url: string;
  /** Each request, as `POST /api/v1/metrics/config`, without its query. */
  readonly requests: readonly string[];
}

const noFlags = { ff: { d: [], s: -1, t: 1 }, rbs: { d: [], s: -1, t: 1 } };

/** Starts a stub on a free port of the loopback. As Split, it knows no key but one. */
export async function startSplitSdkStub(key: string): Promise<SplitSdkStub> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const path = request.url?.split("?")[0];
    requests.push(`${request.method} ${path}`);
    request.resume();
    if (request.headers.authorization !== `Bearer ${key}`) {
      response.writeHead(401).end();
      return;
    }
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(path === "/api/splitChanges" ? noFlags : {}));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("the stub does not listen");
  return {
    url: `http://127.0.0.1:${address.port}/api`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
