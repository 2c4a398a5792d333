import { create, fromBinary, type MessageInitShape, toBinary } from "@bufbuild/protobuf";
import { GetEventRequestSchema, ListEventsResponseSchema } from "../gen/sluice/v1/event_service_pb.ts";
import type { DataSet } from "./support/data-sets.ts";
import type { Finding } from "./support/finding.ts";
import { createBytesClient } from "./support/grpc-client.ts";
import { encodeListRequest, walk } from "./support/list-page.ts";
import type { ReadSubject } from "./support/read-subject.ts";
import { runCallers } from "./support/run-callers.ts";
import { keyOf } from "./support/subject.ts";

const callers = 16;
const forMs = 2000;
const sampleSize = 1000;

/** GetEvent by id and by cursor, of events from all over a data set. */
export async function benchGetEvent(subject: ReadSubject, dataSet: DataSet): Promise<Finding[]> {
  const { name, eventCount, eventAt } = dataSet;
  const client = createBytesClient(subject.grpcAddress, keyOf(name));
  try {
    const ids = Array.from({ length: sampleSize }, (_, i) => eventAt(Math.floor((i * eventCount) / sampleSize)).id);
    const pageToken = (await walk(client, {}, eventCount / 100, 10_000)) ?? "";
    const page = await client.call("ListEvents", encodeListRequest({}, sampleSize, pageToken));
    const cursors = fromBinary(ListEventsResponseSchema, page).events.map(({ cursor }) => cursor);
    return [await run("id", ids), await run("cursor", cursors)];
  } finally {
    client.close();
  }

  async function run(by: "id" | "cursor", values: readonly string[]): Promise<Finding> {
    const requests = values.map((value) => encodeRequest({ event: { case: by, value } }));
    let next = 0;
    const startMs = performance.now();
    const cpuBefore = subject.cpuUs();
    const { done } = await runCallers(callers, forMs, async () => {
      await client.call("GetEvent", requests[next++ % requests.length] ?? Buffer.alloc(0));
      return 1;
    });
    const cpuUs = (subject.cpuUs() - cpuBefore) / done;
    const perSecond = Math.round((done / (performance.now() - startMs)) * 1000);
    return {
      what: `${name}: GetEvent by ${by}, ${callers} callers`,
      figures: `${perSecond} calls/s, ${cpuUs.toFixed(0)} µs of CPU`,
    };
  }
}

function encodeRequest(init: MessageInitShape<typeof GetEventRequestSchema>): Buffer {
  return Buffer.from(toBinary(GetEventRequestSchema, create(GetEventRequestSchema, init)));
}
