import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { resolve } from "node:path";
import { createSecureContext, type SecureContextOptions } from "node:tls";
import { StartError } from "../domain/start-error.ts";
import { collectFaults } from "../files/collect-faults.ts";
import { errorCode } from "../files/error-code.ts";
import { readSmallFile } from "../files/read-small-file.ts";

/** A file, and the variable that names it. */
export interface NamedFile {
  readonly variable: string;
  /** Absolute. */
  readonly path: string;
}

/** The PEM files of one side of a connection. Frozen. */
export interface TlsFiles {
  /** Its own certificate, then those that lead to a root. */
  readonly cert: NamedFile;
  readonly key: NamedFile;
  /** The CAs that the other side's certificate must come from. */
  readonly ca: NamedFile | undefined;
}

/** What the command line trusts and shows, as PEM. Frozen. */
export interface ClientTls {
  /** The CAs to trust, and no other. Absent: those that Node trusts. */
  readonly ca?: string;
  readonly cert?: string;
  readonly key?: string;
}

/** A server's certificate and key, which belong together. */
export interface TlsMaterial {
  /** What a secure context is made of. Holds the private key. */
  readonly context: SecureContextOptions;
  /** The server's own certificate. */
  readonly certificate: X509Certificate;
  /** What its operator should be told. */
  readonly warnings: readonly string[];
}

type Values<Names extends string> = { readonly [Name in Names]?: string | undefined };

/** The files of the server, or nothing when it is to serve without TLS. Throws StartError when one is missing. */
export function nameServerTlsFiles(
  values: Values<"SLUICE_TLS_CERT" | "SLUICE_TLS_KEY" | "SLUICE_TLS_CLIENT_CA">,
  folder: string,
): TlsFiles | undefined {
  const pair = namePair(values, ["SLUICE_TLS_CERT", "SLUICE_TLS_KEY"], folder);
  const ca = nameFile(values, "SLUICE_TLS_CLIENT_CA", folder);
  if (pair !== undefined) return Object.freeze({ ...pair, ca });
  if (ca !== undefined) throw new StartError(`${ca.variable} is set, but not SLUICE_TLS_CERT and SLUICE_TLS_KEY`);
  return undefined;
}

/** Reads what the command line trusts and shows. Throws StartError, with a line for each fault. */
export function readClientTls(
  values: Values<"SLUICE_TLS_CA" | "SLUICE_TLS_CLIENT_CERT" | "SLUICE_TLS_CLIENT_KEY">,
  folder: string,
): ClientTls | undefined {
  const pair = namePair(values, ["SLUICE_TLS_CLIENT_CERT", "SLUICE_TLS_CLIENT_KEY"], folder);
  const ca = nameFile(values, "SLUICE_TLS_CA", folder);
  if (pair === undefined && ca === undefined) return undefined;
  const [trusted, own] = collectFaults(
    () => ca && readCertificates(ca),
    () => pair && readPair(pair),
  );
  return Object.freeze({ ...(trusted && { ca: trusted.pem }), ...(own && { cert: own.certs.pem, key: own.key.pem }) });
}

/** Reads and checks the files of a server. Throws StartError, with a line for each fault; none quotes a file. */
export function readTlsMaterial(files: TlsFiles): TlsMaterial {
  const [own, ca] = collectFaults(
    () => readPair(files),
    () => files.ca && readCertificates(files.ca),
  );
  const context = { cert: own.certs.pem, key: own.key.pem, ca: ca?.pem, minVersion: "TLSv1.2" } as const;
  try {
    createSecureContext(context);
  } catch (error) {
    throw new StartError(`${files.cert.variable} (${files.cert.path}) is of no use for TLS: ${errorCode(error)}`);
  }
  return {
    context,
    certificate: own.certs.first,
    warnings: [...datesOf(files.cert, own.certs.first), ...(files.ca && ca ? datesOf(files.ca, ca.first) : [])],
  };
}

interface Certificates {
  readonly pem: string;
  readonly first: X509Certificate;
}

interface PrivateKey {
  readonly pem: string;
  readonly key: KeyObject;
}

type Pair = Pick<TlsFiles, "cert" | "key">;

function nameFile(values: Values<string>, variable: string, folder: string): NamedFile | undefined {
  const path = values[variable];
  return path === undefined ? undefined : Object.freeze({ variable, path: resolve(folder, path) });
}

function namePair(values: Values<string>, names: readonly [string, string], folder: string): Pair | undefined {
  const [cert, key] = [nameFile(values, names[0], folder), nameFile(values, names[1], folder)];
  if (cert !== undefined && key !== undefined) return { cert, key };
  if (cert === undefined && key === undefined) return undefined;
  throw new StartError(`${names[cert ? 0 : 1]} is set, but not ${names[cert ? 1 : 0]}; a certificate needs its key`);
}

function readPair({ cert, key }: Pair): { certs: Certificates; key: PrivateKey } {
  const [certs, privateKey] = collectFaults(
    () => readCertificates(cert),
    () => readKey(key),
  );
  if (!certs.first.checkPrivateKey(privateKey.key)) {
    throw new StartError(
      `${key.variable} (${key.path}) is not the key of the first certificate in ${cert.variable} (${cert.path})`,
    );
  }
  return { certs, key: privateKey };
}

const certificateForm = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

function readCertificates(file: NamedFile): Certificates {
  const pem = readText(file);
  try {
    const [first] = (pem.match(certificateForm) ?? []).map((block) => new X509Certificate(block));
    if (first !== undefined) return { pem, first };
  } catch {
    throw new StartError(`${file.variable} (${file.path}) holds a certificate that cannot be read`);
  }
  throw new StartError(`${file.variable} (${file.path}) holds no certificate in PEM form`);
}

function readKey(file: NamedFile): PrivateKey {
  const pem = readText(file);
  try {
    return { pem, key: createPrivateKey(pem) };
  } catch {
    const fault = pem.includes("ENCRYPTED")
      ? "is encrypted; Sluice takes none that is"
      : "holds no private key in PEM form";
    throw new StartError(`${file.variable} (${file.path}) ${fault}`);
  }
}

function readText({ variable, path }: NamedFile): string {
  return readSmallFile(path, `${variable} (${path})`).toString("latin1");
}

function datesOf({ variable, path }: NamedFile, { validFrom, validTo }: X509Certificate): string[] {
  const now = Date.now();
  if (Date.parse(validTo) < now) return [`${variable} (${path}): the certificate expired on ${validTo}`];
  if (Date.parse(validFrom) > now) return [`${variable} (${path}): the certificate is not valid before ${validFrom}`];
  return [];
}
