import type { Peer } from "../support/absent.ts";
import type { Absent } from "../support/compare.ts";
import { takeEncodedEvents } from "../support/real-events.ts";
import { runCallers } from "../support/run-callers.ts";
import { createSupply } from "../support/supply.ts";
import { type Postgres, startPostgres } from "./postgres.ts";

/** PostgreSQL with a unique index on the id, inserted into straight from this process. */
export async function startPostgresInserts(rowsPerStatement: number, connections: number): Promise<Peer | Absent> {
  const rowsText = rowsPerStatement === 1 ? "one row" : `${rowsPerStatement} rows`;
  const statements = `ON CONFLICT DO NOTHING, ${rowsText} a statement, ${connections} connections`;
  const server = await startPostgres();
  if (server === undefined) return { name: `PostgreSQL, ${statements}`, isMissing: "it is not installed" };
  const clients = await Promise.all(Array.from({ length: connections }, () => server.connect()));
  const idle = [...clients];
  // Named, so that it is parsed once a connection.
  const statement = { name: "insert", text: encodeInsert(rowsPerStatement) };
  const supply = createSupply(() => takeEncodedEvents(rowsPerStatement).flatMap(({ id, bytes }) => [id, bytes]));
  return {
    name: `PostgreSQL ${server.version}, ${statements}`,
    server,
    prepare: supply.refill,
    run: (forMs) =>
      runCallers(connections, forMs, async () => {
        const client = idle.pop();
        if (client === undefined) throw new Error("no connection is idle");
        const { rowCount } = await client.query({ ...statement, values: supply.take() });
        idle.push(client);
        return rowCount ?? 0;
      }),
    verify: (done) => verify(server, done),
    async stop() {
      await Promise.all(clients.map((client) => client.end()));
      await server.stop();
    },
  };
}

function encodeInsert(rows: number): string {
  const values = Array.from({ length: rows }, (_, i) => `($${2 * i + 1}, $${2 * i + 2})`).join(", ");
  return `INSERT INTO events (id, event) VALUES ${values} ON CONFLICT DO NOTHING`;
}

async function verify(server: Postgres, done: number): Promise<void> {
  const client = await server.connect();
  try {
    const { rows } = await client.query("SELECT count(*)::int AS count FROM events");
    if (rows[0]?.count !== done) throw new Error(`PostgreSQL has ${rows[0]?.count} rows, and ${done} were counted`);
  } finally {
    await client.end();
  }
}
