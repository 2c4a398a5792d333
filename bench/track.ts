import { type Comparison, compare, runCallers } from "./support/compare.ts";
import { createBytesClient } from "./support/grpc-client.ts";
import { startProcess } from "./support/process.ts";
import type { Subject } from "./support/subject.ts";
import { takeTrackRequest } from "./support/track-request.ts";

const callers = 64;

/** Track through gRPC, one event a call, against a handler that does nothing. */
export async function benchTrack(subject: Subject): Promise<Comparison> {
  const script = new URL("support/empty-grpc-server.ts", import.meta.url).pathname;
  const empty = await startProcess(process.execPath, [script], /listens on (\S+)/);
  const emptyAddress = /listens on (\S+)/.exec(empty.output)?.[1] ?? "";
  const clients = [
    createBytesClient(subject.grpcAddress, subject.key),
    createBytesClient(emptyAddress, subject.key),
  ] as const;
  let requests: Buffer[] = [];
  const prepare = (forMs: number) => {
    requests = Array.from({ length: (forMs / 1000) * 15_000 }, takeTrackRequest);
  };
  const trackWith = (client: (typeof clients)[number]) => (forMs: number) =>
    runCallers(callers, forMs, async () => {
      await client.call("Track", requests.pop() ?? takeTrackRequest());
      return 1;
    });
  try {
    return await compare(
      "Track, gRPC, 64 callers",
      "calls",
      { name: "Sluice", server: subject.server, prepare, run: trackWith(clients[0]) },
      { name: "an empty grpc-js handler", server: empty, prepare, run: trackWith(clients[1]) },
    );
  } finally {
    for (const client of clients) client.close();
    await empty.stop();
  }
}
