import { request } from "node:http";

/** A request over HTTP/1.1, over a connection of its own. */
export interface SentRequest {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Uint8Array;
}

/** What came back. */
export interface ReceivedAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, unknown>>;
  readonly body: string;
}

/** Sends what `fetch` would refuse to send, too. Rejects when there is no answer. */
export function sendRequest(port: number, { method, path, headers, body }: SentRequest): Promise<ReceivedAnswer> {
  return new Promise((resolve, reject) => {
    const sent = request({ host: "127.0.0.1", port, method, path, headers, agent: false });
    sent.on("error", reject);
    sent.on("response", async (response) => {
      try {
        const received = Buffer.concat(await response.toArray());
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body: received.toString("utf8") });
      } catch (error) {
        reject(error);
      }
      sent.destroy();
    });
    sent.end(body);
  });
}
