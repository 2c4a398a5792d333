import { Server, ServerCredentials } from "@grpc/grpc-js";

// The floor of every gRPC service on Node, in a process of its own: answers Track with as many bytes as Sluice does,
// and does nothing.
const identity = (bytes: Buffer) => bytes;
const answer = Buffer.alloc(60);
const server = new Server({ "grpc.enable_channelz": 0 });
server.addService(
  {
    track: {
      path: "/sluice.v1.EventService/Track",
      requestStream: false,
      responseStream: false,
      requestSerialize: identity,
      requestDeserialize: identity,
      responseSerialize: identity,
      responseDeserialize: identity,
    },
  },
  { track: (_call: unknown, respond: (error: null, response: Buffer) => void) => respond(null, answer) },
);
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`listens on 127.0.0.1:${port}\n`);
});
process.on("SIGTERM", () => server.forceShutdown());
