import { ServerResponse } from "node:http";
import type { Http2ServerResponse } from "node:http2";
import type { ConnectError } from "@connectrpc/connect";
import type { Compression } from "@connectrpc/connect/protocol";
import { codeToHttpStatus, errorToJson } from "@connectrpc/connect/protocol-connect";
import type { AnswerHeaders } from "../quota-headers.ts";
import { compressMinBytes } from "./connect-options.ts";

/** The answer to a unary call over Connect, until it is sent in one piece. */
export class UnaryAnswer implements AnswerHeaders {
  /** The message, or the error. */
  body: string | Uint8Array = "";
  #status = 200;
  readonly #headers: Record<string, string>;

  /** `contentType`: of a message; an error is always JSON. */
  constructor(contentType: string) {
    this.#headers = { "content-type": contentType };
  }

  set(name: string, value: string): void {
    this.#headers[name] = value;
  }

  /** Answers with an error instead of a message. */
  fail(error: ConnectError): void {
    this.#status = codeToHttpStatus(error.code);
    this.set("content-type", "application/json");
    this.body = JSON.stringify(errorToJson(error, undefined));
  }

  /** Compresses the answer, unless it is small. */
  async compress({ name, compress }: Compression): Promise<void> {
    const bytes = typeof this.body === "string" ? Buffer.from(this.body) : this.body;
    if (bytes.length < compressMinBytes) return;
    this.set("content-encoding", name);
    this.body = await compress(new Uint8Array(bytes));
  }

  /** Sends the answer. Text goes out together with its head, in one write. */
  send(response: ServerResponse | Http2ServerResponse): void {
    const length = typeof this.body === "string" ? Buffer.byteLength(this.body) : this.body.length;
    this.set("content-length", String(length));
    // The same for both, but not to the compiler.
    if (response instanceof ServerResponse) response.writeHead(this.#status, this.#headers);
    else response.writeHead(this.#status, this.#headers);
    response.end(this.body);
  }
}
