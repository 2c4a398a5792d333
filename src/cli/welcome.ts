/** What a user needs to know of a server that has just started. */
export interface ServerFacts {
  /** Host and port of everything. */
  readonly httpAddress: string;
  /** Host and port of gRPC alone. */
  readonly grpcAddress: string;
  /** Absent when the server does not take TLS; else it takes nothing else. */
  readonly tls?: ServedTls | undefined;
  /** The file of its projects. Absent: it serves the development project only. */
  readonly configPath?: string | undefined;
  /** Of the development project. */
  readonly devKey?: { readonly key: string; readonly isNew: boolean } | undefined;
}

interface ServedTls {
  readonly certFile: string;
  readonly isClientCertificateRequired: boolean;
  /** That its certificate is for. */
  readonly dnsNames: readonly string[];
}

/**
 * Says where the server is and how to open it, with two lines to paste into a shell. It holds the development key, and
 * is the one text that may.
 */
export function createWelcome({ httpAddress, grpcAddress, tls, configPath, devKey }: ServerFacts): string {
  const header = `authorization: Bearer ${devKey?.key}`;
  const [curlHeader, bufHeader] = devKey ? [quote(header), quote(toCsv(header))] : [keyFromShell, keyFromShell];
  const event = { event: { name: "hello", identities: { user: "ada" }, value: 42 } };
  const service = "sluice.v1.EventService";
  const scheme = tls ? "https" : "http";
  // curl and buf take the server's own certificate for a CA, whoever issued it.
  const trust = tls ? ` --cacert ${quote(tls.certFile)}` : "";
  const show = tls?.isClientCertificateRequired ? " --cert client.pem --key client.key" : "";
  const version = tls ? "" : " --http2-prior-knowledge";
  return `Sluice serves ${configPath === undefined ? "the development project only, on loopback only" : "projects"}
  ${scheme}://${httpAddress}   Connect, gRPC-Web, gRPC and JSON
  ${scheme}://${grpcAddress}   gRPC
  ${devKey ? `development key${devKey.isNew ? ", made now" : ""}: ${devKey.key}` : `projects and keys: ${configPath}`}

Send an event, and see it:
  curl${trust}${show} -H ${curlHeader} -H 'content-type: application/json' -d ${quote(JSON.stringify(event))} \
${scheme}://${toReach(httpAddress, tls)}/${service}/Track
  npx buf curl --protocol grpc${version}${trust}${show} -H ${bufHeader} -d '{"pageSize":5}' \
${scheme}://${toReach(grpcAddress, tls)}/${service}/ListEvents

`;
}

/** For a server whose keys nobody can print: the digests are all that it has. */
const keyFromShell = '"authorization: Bearer $SLUICE_KEY"';

/** Where a client on this machine finds an address: nobody calls every one, nor trusts a name that no certificate has. */
function toReach(address: string, tls: ServedTls | undefined): string {
  const portAt = address.lastIndexOf(":");
  const given = address.slice(0, portAt);
  const host = /^(0\.0\.0\.0|\[[0:]+\])$/.test(given) ? "localhost" : given;
  const name = tls === undefined || tls.dnsNames.includes(host) ? host : (tls.dnsNames[0] ?? host);
  return `${name}${address.slice(portAt)}`;
}

/** A word for any POSIX shell. */
function quote(word: string): string {
  return `'${word.replaceAll("'", "'\\''")}'`;
}

/** buf reads the value of its header flag as a row of CSV. */
function toCsv(value: string): string {
  return /[",]/.test(value) ? `"${value.replaceAll('"', '""')}"` : value;
}
