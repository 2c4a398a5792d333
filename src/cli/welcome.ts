/** What a user needs to know of a server that has just started. */
export interface ServerFacts {
  /** Host and port of everything. */
  readonly httpAddress: string;
  /** Host and port of gRPC alone. */
  readonly grpcAddress: string;
  readonly devKey: { readonly key: string; readonly isNew: boolean };
}

/**
 * Says where the server is and how to open it, with two lines to paste into a shell. It holds the development key, and
 * is the one text that may.
 */
export function createWelcome({ httpAddress, grpcAddress, devKey }: ServerFacts): string {
  const header = `authorization: Bearer ${devKey.key}`;
  const event = { event: { name: "hello", identities: { user: "ada" }, value: 42 } };
  const service = "sluice.v1.EventService";
  return `Sluice serves
  http://${httpAddress}   Connect, gRPC-Web, gRPC and JSON
  http://${grpcAddress}   gRPC
  development key${devKey.isNew ? ", made now" : ""}: ${devKey.key}

Send an event, and see it:
  curl -H ${quote(header)} -H 'content-type: application/json' -d ${quote(JSON.stringify(event))} \
http://${httpAddress}/${service}/Track
  npx buf curl --protocol grpc --http2-prior-knowledge -H ${quote(toCsv(header))} -d '{"pageSize":5}' \
http://${grpcAddress}/${service}/ListEvents

`;
}

/** A word for any POSIX shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** buf reads the value of its header flag as a row of CSV. */
function toCsv(value: string): string {
  return /[",]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
