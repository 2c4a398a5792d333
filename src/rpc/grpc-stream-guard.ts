import type { EventEmitter } from "node:events";
import type { IncomingHttpHeaders, ServerHttp2Stream } from "node:http2";
import { constants } from "node:http2";
import type { CallLog } from "../call-log.ts";
import { setDeadline } from "./connect-deadline.ts";

export interface StreamGuardOptions {
  /** The names of the methods that the server has, by path. */
  readonly methods: ReadonlyMap<string, { readonly name: string }>;
  readonly callLog: CallLog;
  /** How long a caller may leave an answer untaken. */
  readonly stallMs: number;
}

/**
 * Does for each HTTP/2 stream, before grpc-js sees it, what grpc-js does not: it reads the deadline, writes down the
 * calls that grpc-js refuses by itself, and ends a stream that has its answer, or whose caller does not take it.
 */
export function guardStreams(source: EventEmitter, options: StreamGuardOptions): void {
  source.prependListener("stream", (stream: ServerHttp2Stream, headers: IncomingHttpHeaders) => {
    limitDeadline(headers);
    recordRefusal(headers, options);
    endWhenAnswered(stream);
    endWhenStalled(stream, options.stallMs);
  });
}

/** grpc-js takes a number out of anything, and counts its milliseconds in 32 bits. */
function limitDeadline(headers: IncomingHttpHeaders): void {
  const asked = headers["grpc-timeout"];
  if (asked === undefined) return;
  if (!/^\d{1,8}[HMSmun]$/.test(String(asked))) {
    headers["grpc-timeout"] = "malformed";
    return;
  }
  const limited = new Headers({ "grpc-timeout": String(asked) });
  setDeadline(limited, true, {});
  headers["grpc-timeout"] = String(limited.get("grpc-timeout"));
}

/** The interceptors never see these. */
function recordRefusal(headers: IncomingHttpHeaders, { methods, callLog }: StreamGuardOptions): void {
  const method = methods.get(headers[":path"] ?? "");
  const isGrpc = headers["content-type"]?.startsWith("application/grpc") ?? false;
  if (method !== undefined && isGrpc) return;
  callLog.record({ method: method?.name ?? "unknown", entrance: "grpc", code: "UNIMPLEMENTED", durationMs: 0 });
}

/** Nobody reads the rest of a request that has its answer, but its sender could go on for ever. */
function endWhenAnswered(stream: ServerHttp2Stream): void {
  const end = () => {
    if (stream.destroyed) return;
    const { localClose, remoteClose } = stream.state;
    if (remoteClose === 1) return;
    if (localClose === 1) stream.close(constants.NGHTTP2_NO_ERROR);
    // A reset would take along what has not been sent. Nothing tells when it has, so that one has to look again.
    else setTimeout(end, resetRetryMs).unref();
  };
  const endSoon = () => void setImmediate(() => setImmediate(end));
  stream.once("wantTrailers", endSoon);
  stream.once("finish", () => {
    const sent = stream.sentHeaders;
    if (sent?.["grpc-status"] !== undefined || sent?.[":status"] !== constants.HTTP_STATUS_OK) endSoon();
  });
}

const resetRetryMs = 500;

/** A status would wait behind the answer that is not taken. */
function endWhenStalled(stream: ServerHttp2Stream, stallMs: number): void {
  stream.setTimeout(stallMs);
  stream.on("timeout", () => {
    if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
    else stream.setTimeout(stallMs);
  });
}
