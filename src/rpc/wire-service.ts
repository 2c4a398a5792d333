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
export const WireEventService: DescService = deriveService(FieldDescriptorProto_Type.BYTES);

/** A TrackRequest on the wire. */
export interface WireTrackRequest {
  readonly event: Uint8Array;
}

/** A TrackManyRequest or a TrackBatchRequest on the wire; only the first can be atomic. */
export interface WireTrackManyRequest {
  readonly events: readonly Uint8Array[];
  readonly atomic?: boolean;
}

/**
 * EventService with every Event as a string. What a message looks like once `quoteEvents` has put its JSON into strings:
 * one event that cannot be read then leaves the others alone. Only for requests in JSON.
 */
export const QuotedEventService: DescService = deriveService(FieldDescriptorProto_Type.STRING);

/** A TrackRequest with its event in a string; empty when it is absent. */
export interface QuotedTrackRequest {
  readonly event: string;
}

/** A TrackManyRequest or a TrackBatchRequest with its events in strings. */
export interface QuotedTrackManyRequest {
  readonly events: readonly string[];
}

function deriveService(eventType: FieldDescriptorProto_Type): DescService {
  const files = toFileDescriptorSet([EventService.file]);
  files.file = files.file.map((file) => clone(FileDescriptorProtoSchema, file));
  const fields = files.file.flatMap((file) => file.messageType).flatMap((message) => message.field);
  for (const field of fields) {
    if (field.typeName !== `.${EventSchema.typeName}`) continue;
    field.type = eventType;
    field.typeName = "";
  }
  const service = createFileRegistry(files).getService(EventService.typeName);
  if (service === undefined) throw new Error("the contract has no EventService");
  return service;
}
