import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import type { ListRejectedEventsResponse } from "../../gen/sluice/v1/event_service_pb.ts";
import { ListRejectedEventsResponseSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import type { RejectedPage } from "../domain/list-rejected-events.ts";
import { toRejection } from "./rejection-message.ts";

/** The answer to ListRejectedEvents. */
export function toListRejectedEventsResponse(page: RejectedPage): ListRejectedEventsResponse {
  return create(ListRejectedEventsResponseSchema, {
    events: page.events.map(({ rejectedAtMs, entrance, id, reason, violation, payload }) => ({
      rejectTime: timestampFromMs(rejectedAtMs),
      entrance,
      id,
      rejection: toRejection({ reason, violation }),
      payload,
    })),
    nextPageToken: page.nextPageToken,
    omittedCount: BigInt(page.omittedCount),
  });
}
