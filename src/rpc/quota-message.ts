import { create } from "@bufbuild/protobuf";
import { durationFromMs } from "@bufbuild/protobuf/wkt";
import type { Quota as QuotaMessage } from "../../gen/sluice/v1/event_service_pb.ts";
import { QuotaSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { Quota } from "../domain/quota.ts";
import { tightestOf } from "../domain/quota.ts";

/** What a rate limit has left, as a message. */
export function toQuotaMessage({ limit, remaining, resetAfterMs }: Quota): QuotaMessage {
  return create(QuotaSchema, {
    limit: BigInt(limit.events),
    per: durationFromMs(limit.perMs),
    remaining: BigInt(remaining),
    resetAfter: durationFromMs(resetAfterMs),
  });
}

/** The field `quota` of an answer: the tightest of these; no field without any. */
export function toQuotaField(quotas: readonly Quota[]): { quota?: QuotaMessage } {
  const tightest = tightestOf(quotas);
  return tightest === undefined ? {} : { quota: toQuotaMessage(tightest) };
}
