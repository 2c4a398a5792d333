import type { DescMethod } from "@bufbuild/protobuf";
import type { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import type { Grant, Permission } from "../domain/access.ts";
import { requireAnyPermission } from "../domain/access.ts";

/** The methods of EventService, as its handlers are named. */
export type EventMethodName = keyof typeof EventService.method;

/** The permissions that open a method; any one of them does. A method that is missing here does not compile. */
const anyOfByMethod: Readonly<Record<EventMethodName, readonly Permission[]>> = {
  track: ["track"],
  trackMany: ["track"],
  trackBatch: ["track"],
  listEvents: ["list"],
  getEvent: ["list"],
  tailEvents: ["list"],
  listRejectedEvents: ["list"],
  getLimits: ["track", "list"],
};

const anyOf: ReadonlyMap<string, readonly Permission[]> = new Map(Object.entries(anyOfByMethod));

/** Throws PERMISSION_MISSING unless a key's grant is good for a method of EventService. */
export function requirePermission(grant: Grant, { localName }: Pick<DescMethod, "localName">): void {
  const permissions = anyOf.get(localName);
  if (permissions === undefined) throw new Error(`no permission opens ${localName}`);
  requireAnyPermission(grant, permissions);
}
