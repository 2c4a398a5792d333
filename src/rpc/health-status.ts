import { HealthCheckResponse_ServingStatus as Status } from "../../gen/health/v1/health_pb.ts";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import type { ServingStatus } from "../domain/ports.ts";

/** The names that health is told of; the empty one stands for the whole server. */
const names: readonly string[] = ["", EventService.typeName];

/** The status of a service: SERVING while the server can do its work. Undefined when it is unknown. */
export function healthOf(serving: ServingStatus, service: string): Status | undefined {
  return names.includes(service) ? toStatus(serving.isServing()) : undefined;
}

/** What List answers: the status of every service. */
export function listHealth(serving: ServingStatus): Record<string, { status: Status }> {
  const status = toStatus(serving.isServing());
  return Object.fromEntries(names.map((name) => [name, { status }]));
}

/**
 * What Watch tells: the status at once and after each change, until it is over, with the status that it has then; of an
 * unknown service SERVICE_UNKNOWN, once, as the protocol wants it.
 */
export async function* watchHealth(
  serving: ServingStatus,
  service: string,
  isOver: AbortSignal,
): AsyncGenerator<{ status: Status }> {
  let told: Status | undefined;
  for await (const isServing of watchServing(serving, isOver)) {
    const status = names.includes(service) ? toStatus(isServing) : Status.SERVICE_UNKNOWN;
    if (status !== told) yield { status };
    told = status;
  }
}

function toStatus(isServing: boolean): Status {
  return isServing ? Status.SERVING : Status.NOT_SERVING;
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
