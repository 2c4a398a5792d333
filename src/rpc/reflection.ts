import type { DescFile, DescService, FileRegistry } from "@bufbuild/protobuf";
import { createFileRegistry, toBinary } from "@bufbuild/protobuf";
import { FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import type { ServerReflectionRequest } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1 } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { Health } from "../../gen/health/v1/health_pb.ts";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import { SluiceError } from "../domain/errors.ts";
import { guardIterator } from "../domain/guarded-iterator.ts";
import { callOf, failCall } from "./connect-call.ts";
import { toReadError } from "./connect-refusal.ts";
import { collectFiles, toFileDescriptorSet } from "./contract-files.ts";

/** What a caller who has no copy of the contract can ask for. */
const services: readonly DescService[] = [EventService, Health, ServerReflectionV1, ServerReflectionV1Alpha];

export interface ReflectionOptions {
  /** Its streams end then. */
  readonly shutdown: AbortSignal;
  /** How long a caller may keep silent. Default 60 s. */
  readonly idleMs?: number;
}

type Question = Pick<ServerReflectionRequest, "host"> & {
  readonly messageRequest: { readonly case: string | undefined; readonly value?: unknown };
};
type Answer =
  | { readonly case: "listServicesResponse"; readonly value: { service: { name: string }[] } }
  | { readonly case: "fileDescriptorResponse"; readonly value: { fileDescriptorProto: Uint8Array[] } }
  | { readonly case: "errorResponse"; readonly value: { errorCode: number; errorMessage: string } };

/** Adds grpc.reflection, v1 and v1alpha: the contract, for callers who have no copy of it. */
export function addReflection(router: ConnectRouter, { shutdown, idleMs = 60_000 }: ReflectionOptions): void {
  const registry = createFileRegistry(toFileDescriptorSet(services.map((service) => service.file)));

  async function* answerAll<Q extends Question>(questions: AsyncIterable<Q>, context: HandlerContext) {
    const call = callOf(context);
    const guarded = guardIterator(questions, idleMs);
    const end = () => guarded.interrupt(new SluiceError("SHUTTING_DOWN", "the server is shutting down"));
    shutdown.addEventListener("abort", end);
    if (shutdown.aborted) end();
    try {
      for (let next = await guarded.next(); next.done !== true; next = await guarded.next()) {
        const question = next.value;
        yield { validHost: question.host, originalRequest: question, messageResponse: answer(registry, question) };
      }
    } catch (thrown) {
      throw failCall(call, toReadError(thrown, call));
    } finally {
      shutdown.removeEventListener("abort", end);
    }
  }

  router.service(ServerReflectionV1, { serverReflectionInfo: answerAll });
  router.service(ServerReflectionV1Alpha, { serverReflectionInfo: answerAll });
}

function answer(registry: FileRegistry, { messageRequest }: Question): Answer {
  const { case: kind, value } = messageRequest;
  if (kind === "listServices") {
    const service = services.map(({ typeName }) => ({ name: typeName }));
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
