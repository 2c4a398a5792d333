import type { DescMessage, MessageInitShape, MessageShape } from "@bufbuild/protobuf";
import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  ServerReflectionRequestSchema,
  ServerReflectionResponseSchema,
  ServerReflection as ServerReflectionV1,
} from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { SluiceError } from "../domain/errors.ts";
import type { ServingStatus } from "../domain/ports.ts";
import { GrpcRefusal } from "./grpc-refusal.ts";
import { healthOf, listHealth, watchHealth } from "./health-status.ts";
import type { OpenCallLimit } from "./open-call-limit.ts";
import { tooManyOpenCalls } from "./open-call-limit.ts";
import type { ReflectionOptions } from "./reflection-answer.ts";
import { createReflection } from "./reflection-answer.ts";

/** A method that needs no key: from the bytes of its requests to those of its responses. Its signal is aborted when the call ends. */
export type OpenGrpcMethod = { readonly name: string; readonly path: string } & (
  | { readonly kind: "open-unary"; run(request: Uint8Array, signal: AbortSignal): AsyncIterable<Uint8Array> }
  | {
      readonly kind: "open-streaming";
      run(requests: AsyncIterable<Uint8Array>, signal: AbortSignal): AsyncIterable<Uint8Array>;
    }
);

export interface OpenGrpcMethodsDeps extends ReflectionOptions {
  readonly serving: ServingStatus;
  readonly openCalls: OpenCallLimit;
}

/** Health and reflection. Malformed bytes are MALFORMED. */
export function createOpenGrpcMethods(deps: OpenGrpcMethodsDeps): OpenGrpcMethod[] {
  const { serving, shutdown, openCalls } = deps;
  const { check, list, watch } = Health.method;
  const reflect = createReflection(deps);
  const enter = (signal: AbortSignal) => {
    if (!openCalls.enter(signal)) throw new GrpcRefusal("RESOURCE_EXHAUSTED", tooManyOpenCalls);
  };
  return [
    {
      ...nameOf(check),
      kind: "open-unary",
      async *run(bytes) {
        const found = healthOf(serving, decode(check.input, bytes).service);
        if (found === undefined) throw new GrpcRefusal("NOT_FOUND", "unknown service");
        yield encode(check.output, { status: found });
      },
    },
    {
      ...nameOf(list),
      kind: "open-unary",
      async *run(bytes) {
        decode(list.input, bytes);
        yield encode(list.output, { statuses: listHealth(serving) });
      },
    },
    {
      ...nameOf(watch),
      kind: "open-unary",
      async *run(bytes, signal) {
        const { service } = decode(watch.input, bytes);
        enter(signal);
        const told = watchHealth(serving, service, AbortSignal.any([signal, shutdown]));
        for await (const response of told) yield encode(watch.output, response);
      },
    },
    // They have the same messages.
    ...[ServerReflectionV1, ServerReflectionV1Alpha].map((service) => ({
      ...nameOf(service.method.serverReflectionInfo),
      kind: "open-streaming" as const,
      async *run(requests: AsyncIterable<Uint8Array>, signal: AbortSignal) {
        enter(signal);
        const questions = decodeAll(ServerReflectionRequestSchema, requests);
        for await (const response of reflect(questions)) yield encode(ServerReflectionResponseSchema, response);
      },
    })),
  ];
}

function nameOf(method: { name: string; parent: { typeName: string } }): { name: string; path: string } {
  return { name: method.name, path: `/${method.parent.typeName}/${method.name}` };
}

function encode<Desc extends DescMessage>(desc: Desc, message: MessageInitShape<Desc>): Uint8Array {
  return toBinary(desc, create(desc, message));
}

function decode<Desc extends DescMessage>(desc: Desc, bytes: Uint8Array): MessageShape<Desc> {
  try {
    return fromBinary(desc, bytes);
  } catch (cause) {
    throw new SluiceError("MALFORMED", `the message is not a ${desc.name}`, { cause });
  }
}

async function* decodeAll<Desc extends DescMessage>(
  desc: Desc,
  messages: AsyncIterable<Uint8Array>,
): AsyncGenerator<MessageShape<Desc>> {
  for await (const bytes of messages) yield decode(desc, bytes);
}
