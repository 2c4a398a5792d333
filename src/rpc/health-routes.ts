import type { ConnectRouter } from "@connectrpc/connect";
import { Code, ConnectError } from "@connectrpc/connect";
import { Health, HealthCheckResponse_ServingStatus as Status } from "../../gen/health/v1/health_pb.ts";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import type { ServingStatus } from "../domain/ports.ts";

/** The names that health is told of; the empty one stands for the whole server. */
const names: readonly string[] = ["", EventService.typeName];

/**
 * Adds grpc.health.v1.Health. Its names are SERVING while the server can do its work. Watch ends at shutdown, with the
 * status that it has then; for an unknown name it says SERVICE_UNKNOWN and waits, as the protocol wants it.
 */
export function addHealth(router: ConnectRouter, serving: ServingStatus, shutdown: AbortSignal): void {
  const toStatus = (isServing: boolean) => (isServing ? Status.SERVING : Status.NOT_SERVING);
  router.service(Health, {
    check({ service }) {
      if (!names.includes(service)) throw new ConnectError("unknown service", Code.NotFound);
      return { status: toStatus(serving.isServing()) };
    },
    list() {
      const status = toStatus(serving.isServing());
      return { statuses: Object.fromEntries(names.map((name) => [name, { status }])) };
    },
    async *watch({ service }, context) {
      const isOver = AbortSignal.any([context.signal, shutdown]);
      let told: Status | undefined;
      for await (const isServing of watchServing(serving, isOver)) {
        const status = names.includes(service) ? toStatus(isServing) : Status.SERVICE_UNKNOWN;
        if (status !== told) yield { status };
        told = status;
      }
    },
  });
}

/** Yields at once, after changes, and when it is over. Changes that follow each other while nobody looks are one. */
async function* watchServing(serving: ServingStatus, isOver: AbortSignal): AsyncGenerator<boolean> {
  let change = Promise.withResolvers<void>();
  const wake = () => change.resolve();
  const unsubscribe = serving.subscribe(wake);
  isOver.addEventListener("abort", wake);
  try {
    while (!isOver.aborted) {
      change = Promise.withResolvers();
      yield serving.isServing();
      if (!isOver.aborted) await change.promise;
    }
    yield serving.isServing();
  } finally {
    isOver.removeEventListener("abort", wake);
    unsubscribe();
  }
}
