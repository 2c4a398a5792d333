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

interface QuotaField {
  readonly quota?: QuotaMessage;
}

// All calls of a chunk are told the same.
const fields = new WeakMap<readonly Quota[], QuotaField>();

/** The field `quota` of an answer: the tightest of these; no field without any. */
export function toQuotaField(quotas: readonly Quota[]): QuotaField {
  let field = fields.get(quotas);
  if (field === undefined) {
    const tightest = tightestOf(quotas);
    field = tightest === undefined ? {} : { quota: toQuotaMessage(tightest) };
    fields.set(quotas, field);
  }
  return field;
}
