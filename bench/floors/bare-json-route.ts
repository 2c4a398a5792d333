import { fastify } from "fastify";

// The floor of every JSON service on Fastify, in a process of its own: parses the body, counts its events, and does
// nothing.
const app = fastify({ bodyLimit: 6 << 20 });
app.post("/api/events/bulk", (request, reply) =>
  reply.code(202).send({ count: Array.isArray(request.body) ? request.body.length : 0 }),
);
const address = await app.listen({ host: "127.0.0.1", port: 0 });
process.stdout.write(`listens on ${new URL(address).host}\n`);
process.on("SIGTERM", () => process.exit());
