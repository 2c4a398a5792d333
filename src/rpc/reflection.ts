import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { ServerReflection as ServerReflectionV1 } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { callOf, failCall } from "./connect-call.ts";
import { toReadError } from "./connect-refusal.ts";
import type { ReflectionOptions, ReflectionQuestion } from "./reflection-answer.ts";
import { createReflection } from "./reflection-answer.ts";

/** Adds grpc.reflection, v1 and v1alpha: the contract, for callers who have no copy of it. */
export function addReflection(router: ConnectRouter, options: ReflectionOptions): void {
  const reflect = createReflection(options);

  async function* answerAll<Q extends ReflectionQuestion>(questions: AsyncIterable<Q>, context: HandlerContext) {
    const call = callOf(context);
    try {
      yield* reflect(questions);
    } catch (thrown) {
      throw failCall(call, toReadError(thrown, call));
    }
  }

  router.service(ServerReflectionV1, { serverReflectionInfo: answerAll });
  router.service(ServerReflectionV1Alpha, { serverReflectionInfo: answerAll });
}
