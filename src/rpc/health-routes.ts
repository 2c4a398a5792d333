import type { ConnectRouter } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { Health } from "../../gen/health/v1/health_pb.ts";
import type { ServingStatus } from "../domain/ports.ts";
import { healthOf, listHealth, watchHealth } from "./health-status.ts";

/** Adds grpc.health.v1.Health. Watch ends at shutdown, with the status that it has then. */
export function addHealth(router: ConnectRouter, serving: ServingStatus, shutdown: AbortSignal): void {
  router.service(Health, {
    check({ service }) {
      const status = healthOf(serving, service);
      if (status === undefined) throw new ConnectError("unknown service", Code.NotFound);
      return { status };
    },
    list: () => ({ statuses: listHealth(serving) }),
    watch: ({ service }, { signal }) => watchHealth(serving, service, AbortSignal.any([signal, shutdown])),
  });
}
