import { EventEmitter } from "node:events";
import type { Server, ServerInterceptingCallInterface } from "@grpc/grpc-js";

// What grpc-js keeps to itself. Each look is checked: where a version keeps it elsewhere, nothing is changed and nothing
// found, and a test fails.

/**
 * Limits the messages of a call, by the length that they announce and by what they decompress to. grpc-js has one limit
 * per server, and holds what has come of a message until it is whole.
 */
export function limitMessages(call: ServerInterceptingCallInterface, bytesMax: number): void {
  const decoder = decoderOf(call);
  if (decoder !== undefined) lower(decoder, "maxReadMessageLength", bytesMax);
  lower(call, "maxReceiveMessageSize", bytesMax);
}

/** Makes grpc-js refuse compressed messages of a call: a single frame can hold hundreds, all decompressed at once. */
export function refuseCompression(call: ServerInterceptingCallInterface): void {
  const encoding: unknown = Reflect.get(call, "incomingEncoding");
  if (encoding === "gzip" || encoding === "deflate")
    Reflect.set(call, "incomingEncoding", `${encoding}, without a key`);
}

/** Whether a part of a message has come whose rest has not. */
export function isInsideMessage(call: ServerInterceptingCallInterface): boolean {
  const decoder = decoderOf(call);
  const state: unknown = decoder && Reflect.get(decoder, "readState");
  return typeof state === "number" && state !== 0;
}

/** What emits `stream` for each HTTP/2 stream of a server, once it has a connection injector. */
export function streamSourceOf(server: Server): EventEmitter | undefined {
  const servers: unknown = Reflect.get(server, "http2Servers");
  const [source]: unknown[] = servers instanceof Map ? [...servers.keys()] : [];
  return source instanceof EventEmitter ? source : undefined;
}

function decoderOf(call: ServerInterceptingCallInterface): object | undefined {
  const decoder: unknown = Reflect.get(call, "decoder");
  return typeof decoder === "object" && decoder !== null ? decoder : undefined;
}

function lower(target: object, name: string, max: number): void {
  const current: unknown = Reflect.get(target, name);
  if (typeof current === "number") Reflect.set(target, name, max);
}
