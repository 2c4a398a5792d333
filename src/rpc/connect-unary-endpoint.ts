import type { DescMessage, Message, MessageInitShape } from "@bufbuild/protobuf";
import { create, isMessage, toBinary, toJsonString } from "@bufbuild/protobuf";
import type { Compression } from "@connectrpc/connect/protocol";
import { createMethodSerializationLookup } from "@connectrpc/connect/protocol";
import { fastGzip } from "./connect-compression.ts";
import { jsonOptions } from "./connect-json.ts";
import { hasEvents, messageBytesMaxOf } from "./connect-methods.ts";
import { binaryOptions, jsonWriteMaxBytes, protoWriteMaxBytes } from "./connect-options.ts";
import type { UnaryMethod } from "./connect-unary-methods.ts";
import { unaryMethods } from "./connect-unary-methods.ts";
import { checkEncodedEventCount } from "./event-count.ts";
import { jsonForm, wireForm } from "./event-form.ts";
import type { EventHandlers } from "./event-service.ts";

/** A unary method in one encoding, and how its messages are read and written. */
export interface UnaryEndpoint extends Pick<UnaryMethod, "desc" | "handle"> {
  readonly path: string;
  /** Of its messages, in requests and answers. */
  readonly contentType: "application/json" | "application/proto";
  /** The largest request that it takes, in bytes. */
  readonly bytesMax: number;
  readonly compressions: readonly Compression[];
  /** Throws SluiceError, or ConnectError for what cannot be read. */
  read(bytes: Uint8Array): Message;
  /** Throws for an answer that is larger than any client takes. */
  write(message: MessageInitShape<DescMessage>): string | Uint8Array;
}

/** The unary methods of EventService in each encoding. */
export function createUnaryEndpoints(handlers: EventHandlers): UnaryEndpoint[] {
  return [
    ...unaryMethods(handlers, jsonForm).map(toJsonEndpoint),
    ...unaryMethods(handlers, wireForm).map(toProtoEndpoint),
  ];
}

function toJsonEndpoint(method: UnaryMethod): UnaryEndpoint {
  const { desc } = method;
  return {
    ...toEndpoint(method, false),
    contentType: "application/json",
    write(message) {
      const text = toJsonString(desc.output, toMessage(desc.output, message));
      // A character has three bytes at most, so most answers need not be measured.
      if (text.length * 3 > jsonWriteMaxBytes) checkAnswerBytes(Buffer.byteLength(text), jsonWriteMaxBytes);
      return text;
    },
  };
}

function toProtoEndpoint(method: UnaryMethod): UnaryEndpoint {
  const { desc } = method;
  const { read, ...endpoint } = toEndpoint(method, true);
  // Events stay parts of what is read, for as long as they wait for storage; they are to keep no more than that.
  const readCopy = (bytes: Uint8Array) => read(new Uint8Array(bytes));
  return {
    ...endpoint,
    contentType: "application/proto",
    read: hasEvents(desc)
      ? (bytes) => {
          checkEncodedEventCount(bytes);
          return readCopy(bytes);
        }
      : readCopy,
    write(message) {
      const bytes = toBinary(desc.output, toMessage(desc.output, message));
      checkAnswerBytes(bytes.length, protoWriteMaxBytes);
      return bytes;
    },
  };
}

function toEndpoint({ desc, options, handle }: UnaryMethod, isBinary: boolean) {
  const bytesMax = messageBytesMaxOf(desc);
  const limits = { readMaxBytes: bytesMax, writeMaxBytes: jsonWriteMaxBytes };
  const lookup = createMethodSerializationLookup(desc, binaryOptions, options.jsonOptions ?? jsonOptions, limits);
  const { parse } = lookup.getI(isBinary);
  return {
    desc,
    handle,
    path: `/${desc.parent.typeName}/${desc.name}`,
    bytesMax,
    compressions: options.acceptCompression ?? [fastGzip],
    read: (bytes: Uint8Array): Message => parse(bytes),
  };
}

function toMessage(schema: DescMessage, message: MessageInitShape<DescMessage>): Message {
  return isMessage(message, schema) ? message : create(schema, message);
}

function checkAnswerBytes(bytes: number, bytesMax: number): void {
  if (bytes > bytesMax) throw new Error(`an answer of ${bytes} bytes is larger than ${bytesMax}`);
}
