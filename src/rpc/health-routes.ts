import type { ConnectRouter } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { Health } from "../../gen/health/v1/health_pb.ts";
import type { ServingStatus } from "../domain/ports.ts";
import { callOf, refuseCall } from "./connect-call.ts";
import { healthOf, listHealth, watchHealth } from "./health-status.ts";
import type { OpenCallLimit } from "./open-call-limit.ts";
import { tooManyOpenCalls } from "./open-call-limit.ts";

export interface AddHealthOptions {
  readonly serving: ServingStatus;
  /** Watch ends then, with the status that it has. */
  readonly shutdown: AbortSignal;
  readonly openCalls: OpenCallLimit;
}

/** Adds grpc.health.v1.Health. */
export function addHealth(router: ConnectRouter, { serving, shutdown, openCalls }: AddHealthOptions): void {
  router.service(Health, {
    check({ service }) {
      const status = healthOf(serving, service);
      if (status === undefined) throw new ConnectError("unknown service", Code.NotFound);
      return { status };
    },
    list: () => ({ statuses: listHealth(serving) }),
    async *watch({ service }, context) {
      const { signal } = context;
      if (!openCalls.enter(signal)) throw refuseCall(callOf(context), Code.ResourceExhausted, tooManyOpenCalls);
      yield* watchHealth(serving, service, AbortSignal.any([signal, shutdown]));
    },
  });
}
