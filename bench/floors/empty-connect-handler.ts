import { createServer } from "node:http";
import type { ConnectRouter } from "@connectrpc/connect";
import { connectNodeAdapter } from "@connectrpc/connect-node";
import { EventService } from "../../gen/sluice/v1/event_service_pb.ts";

// The floor of every Connect service on Node, over HTTP/1.1, in a process of its own: decodes the JSON of Track,
// answers as much as Sluice does, and does nothing.
const answer = {
  id: "018f0000-0000-7000-8000-000000000000",
  cursor: "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
  receiveTime: { seconds: 1_700_000_000n, nanos: 0 },
};
const routes = (router: ConnectRouter) => router.service(EventService, { track: () => answer });
const server = createServer(connectNodeAdapter({ routes }));
server.listen(0, "127.0.0.1", () => {
  const address = server.address();
  if (address === null || typeof address === "string") throw new Error("it has no port");
  process.stdout.write(`listens on 127.0.0.1:${address.port}\n`);
});
process.on("SIGTERM", () => process.exit());
