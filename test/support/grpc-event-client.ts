import {
  create,
  type DescMessage,
  fromBinary,
  type MessageInitShape,
  type MessageShape,
  toBinary,
} from "@bufbuild/protobuf";
import { anyIs, anyUnpack } from "@bufbuild/protobuf/wkt";
import { Client, credentials, Metadata, type ServiceError } from "@grpc/grpc-js";
import { ErrorInfoSchema } from "../../gen/google/rpc/error_details_pb.ts";
import { StatusSchema } from "../../gen/google/rpc/status_pb.ts";
import {
  EventService,
  type TrackBatchResponse,
  TrackBatchResponseSchema,
} from "../../gen/sluice/v1/event_service_pb.ts";

const { track, trackMany, trackBatch, listEvents } = EventService.method;

/** A grpc-js client of EventService. */
export class GrpcEventClient {
  readonly #client: Client;
  readonly #metadata = new Metadata();

  constructor(address: string, key: string) {
    this.#client = new Client(address, credentials.createInsecure());
    this.#metadata.set("authorization", `Bearer ${key}`);
  }

  track = (request: MessageInitShape<typeof track.input>) => this.#call(track, request);
  trackMany = (request: MessageInitShape<typeof trackMany.input>) => this.#call(trackMany, request);
  listEvents = (request: MessageInitShape<typeof listEvents.input>) => this.#call(listEvents, request);

  /** A TrackBatch stream to write to, and what it ends with. */
  openTrackBatch() {
    const { promise: response, resolve, reject } = Promise.withResolvers<TrackBatchResponse>();
    const call = this.#client.makeClientStreamRequest(
      pathOf(trackBatch),
      (request: MessageInitShape<typeof trackBatch.input>) => encode(trackBatch.input, request),
      (bytes) => fromBinary(trackBatch.output, bytes),
      this.#metadata,
      (error: ServiceError | null, reply?: TrackBatchResponse) =>
        reply === undefined ? reject(error) : resolve(reply),
    );
    call.on("error", () => {});
    return { call, response };
  }

  close(): void {
    this.#client.close();
  }

  #call<I extends DescMessage, O extends DescMessage>(
    method: { name: string; input: I; output: O },
    request: MessageInitShape<I>,
  ): Promise<MessageShape<O>> {
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        pathOf(method),
        (init: MessageInitShape<I>) => encode(method.input, init),
        (bytes) => fromBinary(method.output, bytes),
        request,
        this.#metadata,
        (error, response) => (error || response === undefined ? reject(error) : resolve(response)),
      );
    });
  }
}

/** The reason in a gRPC error, and what had become of the stream that it cut. */
export function readErrorDetails(error: unknown): { reason?: string; summary?: TrackBatchResponse } {
  const metadata = error instanceof Error && "metadata" in error ? error.metadata : undefined;
  const [bytes] = metadata instanceof Metadata ? metadata.get("grpc-status-details-bin") : [];
  if (!(bytes instanceof Uint8Array)) return {};
  const { details } = fromBinary(StatusSchema, bytes);
  const info = details.find((any) => anyIs(any, ErrorInfoSchema));
  const batch = details.find((any) => anyIs(any, TrackBatchResponseSchema));
  const reason = info && anyUnpack(info, ErrorInfoSchema)?.reason;
  const summary = batch && anyUnpack(batch, TrackBatchResponseSchema);
  return { ...(reason && { reason }), ...(summary && { summary }) };
}

function pathOf(method: { name: string }): string {
  return `/${EventService.typeName}/${method.name}`;
}

function encode<Desc extends DescMessage>(desc: Desc, init: MessageInitShape<Desc>): Buffer {
  return Buffer.from(toBinary(desc, create(desc, init)));
}
