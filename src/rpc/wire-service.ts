import type { DescService } from "@bufbuild/protobuf";
import { clone, createFileRegistry } from "@bufbuild/protobuf";
import { FieldDescriptorProto_Type, FileDescriptorProtoSchema } from "@bufbuild/protobuf/wkt";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";
import { toFileDescriptorSet } from "./contract-files.ts";

/**
 * EventService as it is on the wire: the same contract, but every Event in a message is left as its bytes.
 *
 * An embedded message and a `bytes` field look alike on the wire. So the events of a request can be judged one by one
 * and stored as they were sent, and those of a page be sent as they were stored. Derived from the contract, so that the
 * two cannot drift apart. Only for protobuf: as JSON the two differ.
 */
export const WireEventService: DescService = deriveWireService();

/** A TrackRequest on the wire. */
export interface WireTrackRequest {
  readonly event: Uint8Array;
}

/** A TrackManyRequest or a TrackBatchRequest on the wire. */
export interface WireTrackManyRequest {
  readonly events: readonly Uint8Array[];
}

/** A ListEventsResponse on the wire. */
export interface WireListEventsResponse {
  readonly events: Uint8Array[];
  readonly nextPageToken: string;
}

function deriveWireService(): DescService {
  const files = toFileDescriptorSet([EventService.file]);
  files.file = files.file.map((file) => clone(FileDescriptorProtoSchema, file));
  const fields = files.file.flatMap((file) => file.messageType).flatMap((message) => message.field);
  for (const field of fields) {
    if (field.typeName !== `.${EventSchema.typeName}`) continue;
    field.type = FieldDescriptorProto_Type.BYTES;
    field.typeName = "";
  }
  const service = createFileRegistry(files).getService(EventService.typeName);
  if (service === undefined) throw new Error("the contract has no EventService");
  return service;
}
