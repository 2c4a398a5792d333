import { request as requestHttp1 } from "node:http";
import { type ClientHttp2Session, connect } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import { nameOfCode } from "../../src/rpc/connect-call.ts";

/** How bytes reach the server: with nothing of a client library in between that would refuse to send them. */
export interface RawProtocol {
  readonly name: string;
  readonly httpVersion: 1 | 2;
  readonly contentType: string;
  /** Whether messages have the head that gRPC and streams give them. */
  readonly isEnveloped: boolean;
}

export interface RawCall {
  readonly port: number;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly method?: string;
  /** What is sent of the body. */
  readonly body?: Uint8Array;
  /** Whether the body goes on after that, without another byte. */
  readonly isOpen?: boolean;
}

/** What came back, in whichever way the protocol says it. */
export interface RawAnswer {
  readonly status: number;
  /** `OK`, or the name of the status code; undefined where the answer has none. */
  readonly code: string | undefined;
  /** Of the ErrorInfo. */
  readonly reason: string | undefined;
  readonly message: string | undefined;
}

interface HttpAnswer {
  readonly status: number;
  readonly headers: Record<string, unknown>;
  readonly trailers: Record<string, unknown>;
  readonly body: Buffer;
}

/** Sends a request, and resolves when it has its whole answer, whether or not the request has ended. */
export async function callRaw(protocol: RawProtocol, call: RawCall): Promise<RawAnswer> {
  const headers = { "content-type": protocol.contentType, te: "trailers", ...call.headers };
  const answer = protocol.httpVersion === 1 ? await overHttp1(call, headers) : await overHttp2(call, headers);
  return readAnswer(protocol, answer);
}

function overHttp1(call: RawCall, headers: Record<string, string>): Promise<HttpAnswer> {
  const { port, path, method = "POST" } = call;
  return new Promise((resolve, reject) => {
    const request = requestHttp1({ host: "127.0.0.1", port, path, method, headers, agent: false });
    request.on("error", reject);
    request.on("response", async (response) => {
      try {
        const body = Buffer.concat(await response.toArray());
        resolve({ status: response.statusCode ?? 0, headers: response.headers, trailers: response.trailers, body });
      } catch (error) {
        reject(error);
      }
      request.destroy();
    });
    if (call.body !== undefined) request.write(call.body);
    else request.flushHeaders();
    if (call.isOpen !== true) request.end();
  });
}

async function overHttp2(call: RawCall, headers: Record<string, string>): Promise<HttpAnswer> {
  const session: ClientHttp2Session = connect(`http://127.0.0.1:${call.port}`);
  try {
    return await new Promise((resolve, reject) => {
      session.on("error", reject);
      const stream = session.request({ ":method": call.method ?? "POST", ":path": call.path, ...headers });
      const chunks: Buffer[] = [];
      let head: Record<string, unknown> = {};
      let trailers: Record<string, unknown> = {};
      stream.on("error", reject);
      stream.on("response", (received) => {
        head = { ...received };
      });
      stream.on("trailers", (received) => {
        trailers = { ...received };
      });
      stream.on("data", (chunk: Buffer) => chunks.push(chunk));
      stream.on("end", () =>
        resolve({ status: Number(head[":status"]), headers: head, trailers, body: Buffer.concat(chunks) }),
      );
      if (call.body !== undefined) stream.write(call.body);
      if (call.isOpen !== true) stream.end();
    });
  } finally {
    session.destroy();
  }
}

function readAnswer(protocol: RawProtocol, { status, headers, trailers, body }: HttpAnswer): RawAnswer {
  if (protocol.contentType.startsWith("application/grpc-web")) {
    const { text } = lastEnvelope(body);
    const lines = text.split("\r\n").map((line) => [line.split(":")[0], line.slice(line.indexOf(":") + 1).trim()]);
    return fromGrpc(status, Object.fromEntries(lines));
  }
  if (protocol.contentType.startsWith("application/grpc")) return fromGrpc(status, { ...headers, ...trailers });
  if (headers["content-type"] === undefined) return { status, code: undefined, reason: undefined, message: undefined };
  if (protocol.isEnveloped) return fromConnect(status, JSON.parse(lastEnvelope(body).text).error ?? {}, "OK");
  return status === 200
    ? { status, code: "OK", reason: undefined, message: undefined }
    : fromConnect(status, JSON.parse(body.toString()), undefined);
}

function fromGrpc(status: number, trailers: Record<string, unknown>): RawAnswer {
  const code = trailers["grpc-status"];
  const details = trailers["grpc-status-details-bin"];
  const name = code === undefined ? undefined : code === "0" ? "OK" : nameOfCode(Number(code));
  const message =
    typeof trailers["grpc-message"] === "string" ? decodeURIComponent(trailers["grpc-message"]) : undefined;
  if (typeof details !== "string") return { status, code: name, reason: undefined, message };
  const info = fromBinary(StatusSchema, Buffer.from(details, "base64")).details.find(({ typeUrl }) =>
    typeUrl.endsWith(ErrorInfoSchema.typeName),
  );
  return { status, code: name, reason: info && fromBinary(ErrorInfoSchema, info.value).reason, message };
}

function fromConnect(
  status: number,
  error: { code?: string; message?: string; details?: { type: string; value: string }[] },
  otherwise: string | undefined,
): RawAnswer {
  const info = error.details?.find(({ type }) => type === ErrorInfoSchema.typeName);
  return {
    status,
    code: error.code?.toUpperCase() ?? otherwise,
    reason: info && fromBinary(ErrorInfoSchema, Buffer.from(info.value, "base64")).reason,
    message: error.message,
  };
}

function lastEnvelope(body: Buffer): { text: string } {
  let text = "";
  for (let offset = 0; offset + 5 <= body.length; ) {
    const length = body.readUInt32BE(offset + 1);
    text = body.subarray(offset + 5, offset + 5 + length).toString();
    offset += 5 + length;
  }
  return { text };
}

/** A message with the head that says how long it is. */
export function envelope(message: Uint8Array, flags = 0): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(flags);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}
