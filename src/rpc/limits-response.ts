import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { GetLimitsResponse } from "../../gen/sluice/v1/event_service_pb.ts";
import { CallLimitsSchema, GetLimitsResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { callLimits, eventLimits } from "../domain/event.ts";
import type { ProjectLimits } from "../domain/get-limits.ts";
import { toQuotaMessage } from "./quota-message.ts";

const sameForAll = create(CallLimitsSchema, {
  trackMessageBytes: BigInt(callLimits.trackMessageBytes),
  batchMessageBytes: BigInt(callLimits.batchMessageBytes),
  messageEvents: BigInt(callLimits.messageEvents),
  pageSizeMax: BigInt(callLimits.pageSizeMax),
  pageBytes: BigInt(callLimits.pageBytes),
  eventBytes: BigInt(eventLimits.eventBytes),
  propertyCount: BigInt(eventLimits.propertyCount),
  propertyBytes: BigInt(eventLimits.propertyBytes),
  propertyDepth: BigInt(eventLimits.propertyDepth),
  identityCount: BigInt(eventLimits.identityCount),
  throttleWait: durationFromMs(callLimits.throttleWaitMs),
  atomicBytes: BigInt(callLimits.atomicBytes),
  atomicTerms: BigInt(callLimits.atomicTerms),
  idLength: BigInt(eventLimits.idLength),
  nameLength: BigInt(eventLimits.nameLength),
  identityKindLength: BigInt(eventLimits.identityKindLength),
  identityLength: BigInt(eventLimits.identityLength),
  environmentLength: BigInt(eventLimits.environmentLength),
  propertyNameLength: BigInt(eventLimits.propertyNameLength),
  timeAhead: durationFromMs(eventLimits.futureMs),
  filterNames: BigInt(callLimits.filterNames),
  pageSizeDefault: BigInt(callLimits.pageSizeDefault),
  filterValues: BigInt(callLimits.filterValues),
  filterProperties: BigInt(callLimits.filterProperties),
  filterPropertyLength: BigInt(callLimits.filterPropertyLength),
  tailHeartbeat: durationFromMs(callLimits.tailHeartbeatMs),
});

/** The answer to GetLimits. */
export function toGetLimitsResponse({ settings, quotas, eventCount, environments }: ProjectLimits): GetLimitsResponse {
  return create(GetLimitsResponseSchema, {
    quotas: quotas.map(toQuotaMessage),
    dedupeWindow: durationFromMs(settings.dedupeWindowMs),
    eventsMax: BigInt(settings.eventsMax ?? 0),
    eventCount: BigInt(eventCount),
    environments: [...environments],
    identityKinds: [...settings.identityKinds],
    callLimits: sameForAll,
    ...(settings.retentionMs !== undefined && { retention: durationFromMs(settings.retentionMs) }),
    indexedProperties: [...settings.indexedProperties],
  });
}
