import type {
  ClientHttp2Session,
  ClientHttp2Stream,
  IncomingHttpHeaders,
  IncomingHttpStatusHeader,
  OutgoingHttpHeaders,
  Settings,
} from "node:http2";
import { connect } from "node:http2";
import { fromBinary } from "@bufbuild/protobuf";
import { anyUnpack } from "@bufbuild/protobuf/wkt";
import { BadRequestSchema, ErrorInfoSchema, RetryInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import type { TrackBatchResponse } from "../../gen/sluice/v1/event_service_pb.ts";
import { TrackBatchResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { testKey } from "./use-grpc-server.ts";

/** How a gRPC call ended, as it is on the wire. */
export interface GrpcEnd {
  readonly httpStatus: number;
  /** Undefined when there was none. */
  readonly code: number | undefined;
  readonly message: string;
  /** The response's bytes, without their frame. */
  readonly response: Uint8Array;
  readonly details: StatusDetails;
}

/** What a google.rpc.Status says in its details. */
export interface StatusDetails {
  readonly reason?: string;
  readonly domain?: string;
  readonly fields?: readonly string[];
  readonly hasRetryDelay?: boolean;
  readonly batch?: TrackBatchResponse;
}

/** A call made by hand, frame by frame. */
export interface RawCall {
  readonly session: ClientHttp2Session;
  readonly stream: ClientHttp2Stream;
  /** How the server ended it; it rejects when the stream ends without a status. */
  readonly end: Promise<GrpcEnd>;
  /** Resolves when the stream is closed, with the code of its reset; 0 when there was none or NO_ERROR. */
  readonly closed: Promise<number>;
}

const service = "/sluice.v1.EventService/";

/** Opens a call of EventService, with a key unless the headers say otherwise. */
export function openCall(
  port: number,
  method: string,
  headers: OutgoingHttpHeaders = {},
  settings: Settings = {},
): RawCall {
  const session = connect(`http://127.0.0.1:${port}`, { settings });
  session.on("error", () => {});
  const stream = session.request({
    ":method": "POST",
    ":path": method.startsWith("/") ? method : service + method,
    "content-type": "application/grpc",
    te: "trailers",
    authorization: `Bearer ${testKey}`,
    ...headers,
  });
  const closed = new Promise<number>((resolve) => {
    stream.once("close", () => {
      resolve(stream.rstCode ?? 0);
      session.destroy();
    });
  });
  return { session, stream, end: readEnd(stream), closed };
}

/** Makes a whole call: these bytes, then the end of the request. */
export function call(
  port: number,
  method: string,
  bytes: Uint8Array,
  headers: OutgoingHttpHeaders = {},
): Promise<GrpcEnd> {
  const { stream, end } = openCall(port, method, headers);
  stream.end(bytes);
  return end;
}

/** A message as gRPC frames it. */
export function frame(message: Uint8Array, isCompressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(isCompressed ? 1 : 0, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

/** Reads an encoded google.rpc.Status. */
export function readDetails(bytes: Uint8Array): StatusDetails {
  let found: StatusDetails = {};
  for (const any of fromBinary(StatusSchema, bytes).details) {
    const info = anyUnpack(any, ErrorInfoSchema);
    const badRequest = anyUnpack(any, BadRequestSchema);
    const batch = anyUnpack(any, TrackBatchResponseSchema);
    found = {
      ...found,
      ...(info && { reason: info.reason, domain: info.domain }),
      ...(badRequest && { fields: badRequest.fieldViolations.map((violation) => violation.field) }),
      ...(anyUnpack(any, RetryInfoSchema) && { hasRetryDelay: true }),
      ...(batch && { batch }),
    };
  }
  return found;
}

function readEnd(stream: ClientHttp2Stream): Promise<GrpcEnd> {
  const { promise, resolve, reject } = Promise.withResolvers<GrpcEnd>();
  let headers: IncomingHttpHeaders & IncomingHttpStatusHeader = {};
  let trailers: IncomingHttpHeaders = {};
  const data: Buffer[] = [];
  stream.on("response", (received) => {
    headers = received;
  });
  stream.on("trailers", (received) => {
    trailers = received;
  });
  stream.on("data", (chunk: Buffer) => data.push(chunk));
  stream.on("error", () => {});
  stream.on("close", () => reject(new Error("the stream was closed without a response")));
  stream.on("end", () => {
    if (headers[":status"] === undefined) return reject(new Error("the stream ended without a response"));
    const ended = { ...headers, ...trailers };
    const status = ended["grpc-status"];
    const details = ended["grpc-status-details-bin"];
    resolve({
      httpStatus: Number(headers[":status"]),
      code: status === undefined ? undefined : Number(status),
      message: decodeURI(String(ended["grpc-message"] ?? "")),
      response: Buffer.concat(data).subarray(5),
      details: details === undefined ? {} : readDetails(Buffer.from(String(details), "base64")),
    });
  });
  // Not every test looks at the end.
  promise.catch(() => {});
  return promise;
}
