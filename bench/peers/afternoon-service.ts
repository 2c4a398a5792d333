import { Server, ServerCredentials, type ServiceDefinition, status } from "@grpc/grpc-js";
import { loadSync } from "@grpc/proto-loader";
import { Redis } from "ioredis";

// The service that a team writes in an afternoon, in a process of its own: takes the same Track, counts the minute's
// calls, remembers the id, and appends, one after the other. Unlike Sluice it has no index, and loses an event when it
// dies between the last two. Arguments: the socket of its Redis, the key that it takes.
const [socketPath = "", key = ""] = process.argv.slice(2);
const redis = new Redis(socketPath);
const protoFolder = new URL("../../proto/", import.meta.url).pathname;
const packages = loadSync("sluice/v1/event_service.proto", { includeDirs: [protoFolder] });

const limitPerMinute = 1_000_000_000;
const rememberSeconds = 7 * 24 * 60 * 60;

interface TrackCall {
  readonly metadata: { get(name: string): unknown[] };
  readonly request: { readonly event: { readonly id: string } };
}

type Respond = (error: { code: status; details: string } | null, response?: { id: string; cursor: string }) => void;

async function track({ metadata, request }: TrackCall, respond: Respond): Promise<void> {
  try {
    if (metadata.get("authorization")[0] !== `Bearer ${key}`) {
      return respond({ code: status.UNAUTHENTICATED, details: "unknown key" });
    }
    const { event } = request;
    const minute = `afternoon:limit:${Math.floor(Date.now() / 60_000)}`;
    const calls = await redis.incr(minute);
    if (calls === 1) await redis.expire(minute, 120);
    if (calls > limitPerMinute) return respond({ code: status.RESOURCE_EXHAUSTED, details: "too many events" });
    const isNew = await redis.set(`afternoon:id:${event.id}`, "", "EX", rememberSeconds, "NX");
    if (isNew === null) return respond(null, { id: event.id, cursor: "" });
    const position = await redis.xadd("afternoon:events", "*", "event", JSON.stringify(event));
    respond(null, { id: event.id, cursor: position ?? "" });
  } catch (error) {
    respond({ code: status.INTERNAL, details: String(error) });
  }
}

const server = new Server();
server.addService(serviceOf(packages["sluice.v1.EventService"]), { Track: track });
server.bindAsync("127.0.0.1:0", ServerCredentials.createInsecure(), (error, port) => {
  if (error) throw error;
  process.stdout.write(`listens on 127.0.0.1:${port}\n`);
});
process.on("SIGTERM", () => process.exit());

function serviceOf(definition: (typeof packages)[string] | undefined): ServiceDefinition {
  if (definition === undefined || "format" in definition) throw new Error("the contract has no such service");
  return definition;
}
