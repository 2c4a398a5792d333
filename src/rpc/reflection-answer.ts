import type { DescFile, DescService, FileRegistry } from "@bufbuild/protobuf";
import { createFileRegistry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { Code } from "@connectrpc/connect";
import type { ServerReflectionRequest } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1 } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import { SluiceError } from "../domain/errors.ts";
import { guardIterator } from "../domain/guarded-iterator.ts";
import { collectFiles, toFileDescriptorSet } from "./contract-files.ts";

/** Every service there is; what a caller who has no copy of the contract can ask for. */
export const reflectedServices: readonly DescService[] = [
  EventService,
  Health,
  ServerReflectionV1,
  ServerReflectionV1Alpha,
];

export interface ReflectionOptions {
  /** Its streams end then. */
  readonly shutdown: AbortSignal;
  /** How long a caller may keep silent. Default 60 s. */
  readonly idleMs?: number;
}

/** What reflection is asked; v1 and v1alpha have the same messages. */
export type ReflectionQuestion = Pick<ServerReflectionRequest, "host"> & {
  readonly messageRequest: { readonly case: string | undefined; readonly value?: unknown };
};

/** What a ServerReflectionResponse holds. */
export interface ReflectionResponse<Q> {
  readonly validHost: string;
  readonly originalRequest: Q;
  readonly messageResponse: Answer;
}

type Answer =
  | { readonly case: "listServicesResponse"; readonly value: { service: { name: string }[] } }
  | { readonly case: "fileDescriptorResponse"; readonly value: { fileDescriptorProto: Uint8Array[] } }
  | { readonly case: "errorResponse"; readonly value: { errorCode: number; errorMessage: string } };

/** Answers a stream of questions. */
export type Reflection = <Q extends ReflectionQuestion>(
  questions: AsyncIterable<Q>,
) => AsyncGenerator<ReflectionResponse<Q>>;

/**
 * Makes reflection over the services. It reads a question only when the answer before was taken, and throws STREAM_IDLE
 * at a caller who keeps silent, SHUTTING_DOWN at a shutdown.
 */
export function createReflection({ shutdown, idleMs = 60_000 }: ReflectionOptions): Reflection {
  const registry = createFileRegistry(toFileDescriptorSet(reflectedServices.map((service) => service.file)));
  return async function* (questions) {
    const guarded = guardIterator(questions, idleMs);
    const end = () => guarded.interrupt(new SluiceError("SHUTTING_DOWN", "the server is shutting down"));
    shutdown.addEventListener("abort", end);
    if (shutdown.aborted) end();
    try {
      for (let next = await guarded.next(); next.done !== true; next = await guarded.next()) {
        const question = next.value;
        yield { validHost: question.host, originalRequest: question, messageResponse: answer(registry, question) };
      }
    } finally {
      shutdown.removeEventListener("abort", end);
    }
  };
}

function answer(registry: FileRegistry, { messageRequest }: ReflectionQuestion): Answer {
  const { case: kind, value } = messageRequest;
  if (kind === "listServices") {
    const service = reflectedServices.map(({ typeName }) => ({ name: typeName }));
    return { case: "listServicesResponse", value: { service } };
  }
  if ((kind === "fileContainingSymbol" || kind === "fileByFilename") && typeof value === "string") {
    const file = kind === "fileByFilename" ? registry.getFile(value) : findFile(registry, value);
    if (file !== undefined) {
      const fileDescriptorProto = collectFiles([file])
        .reverse()
        .map(({ proto }) => toBinary(FileDescriptorProtoSchema, proto));
      return { case: "fileDescriptorResponse", value: { fileDescriptorProto } };
    }
  }
  // The contract has no extensions.
  return { case: "errorResponse", value: { errorCode: Code.NotFound, errorMessage: "not found" } };
}

/** The file that declares a type, a service, or a method or field of one. */
function findFile(registry: FileRegistry, symbol: string): DescFile | undefined {
  const parent = symbol.slice(0, symbol.lastIndexOf("."));
  return (registry.get(symbol) ?? registry.get(parent))?.file;
}
