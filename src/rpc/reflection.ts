import type { ConnectRouter, HandlerContext } from "@connectrpc/connect";
import { Code } from "@connectrpc/connect";
import { ServerReflection as ServerReflectionV1 } from "../../gen/grpc/reflection/v1/reflection_pb.ts";
import { ServerReflection as ServerReflectionV1Alpha } from "../../gen/grpc/reflection/v1alpha/reflection_pb.ts";
import { callOf, failCall, refuseCall } from "./connect-call.ts";
import { toReadError } from "./connect-refusal.ts";
import type { OpenCallLimit } from "./open-call-limit.ts";
import { tooManyOpenCalls } from "./open-call-limit.ts";
import type { ReflectionOptions, ReflectionQuestion } from "./reflection-answer.ts";
import { createReflection } from "./reflection-answer.ts";

export interface AddReflectionOptions extends ReflectionOptions {
  readonly openCalls: OpenCallLimit;
}

/** Adds grpc.reflection, v1 and v1alpha: the contract, for callers who have no copy of it. */
export function addReflection(router: ConnectRouter, options: AddReflectionOptions): void {
  const reflect = createReflection(options);

  async function* answerAll<Q extends ReflectionQuestion>(questions: AsyncIterable<Q>, context: HandlerContext) {
    const call = callOf(context);
    if (!options.openCalls.enter(context.signal)) throw refuseCall(call, Code.ResourceExhausted, tooManyOpenCalls);
    try {
      yield* reflect(questions);
    } catch (thrown) {
      throw failCall(call, toReadError(thrown, call));
    }
  }

  router.service(ServerReflectionV1, { serverReflectionInfo: answerAll });
  router.service(ServerReflectionV1Alpha, { serverReflectionInfo: answerAll });
}
