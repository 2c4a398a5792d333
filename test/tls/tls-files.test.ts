import { generateKeyPairSync } from "node:crypto";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";
import { StartError } from "../../src/domain/start-error.ts";
import { nameServerTlsFiles, readClientTls, readTlsMaterial, type TlsFiles } from "../../src/tls/tls-files.ts";
import { createTestCa, useFiles } from "../support/certificates.ts";

const write = useFiles();
const ca = createTestCa();
const server = ca.issue();
const other = ca.issue();
const paths = {
  cert: write("server.pem", `${server.cert}${ca.cert}`),
  key: write("server.key", server.key),
  ca: write("ca.pem", ca.cert),
  otherKey: write("other.key", other.key),
  expired: write("expired.pem", ca.issue({ days: -1 }).cert),
  text: write("notes.txt", "no PEM"),
  broken: write("broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"),
  encrypted: write(
    "encrypted.key",
    generateKeyPairSync("ec", { namedCurve: "P-256" })
      .privateKey.export({ type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase: "x" })
      .toString(),
  ),
  missing: join(dirname(write("x", "")), "missing.pem"),
};

function filesOf({ cert = paths.cert, key = paths.key, ca }: { cert?: string; key?: string; ca?: string }): TlsFiles {
  const values = { SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: key, SLUICE_TLS_CLIENT_CA: ca };
  const files = nameServerTlsFiles(values, "/");
  if (files === undefined) throw new Error("files were named");
  return files;
}

function faultsOf(run: () => unknown): string[] {
  try {
    run();
  } catch (error) {
    if (error instanceof StartError) return error.message.split("\n");
    throw error;
  }
  return [];
}

describe("nameServerTlsFiles", () => {
  it("names nothing without variables, and absolute paths with them", () => {
    expect(nameServerTlsFiles({}, "/srv")).toBeUndefined();
    expect(nameServerTlsFiles({ SLUICE_TLS_CERT: "tls/a.pem", SLUICE_TLS_KEY: "/b.key" }, "/srv")).toEqual({
      cert: { variable: "SLUICE_TLS_CERT", path: "/srv/tls/a.pem" },
      key: { variable: "SLUICE_TLS_KEY", path: "/b.key" },
      ca: undefined,
    });
  });

  it.each([
    [{ SLUICE_TLS_CERT: "a" }, "SLUICE_TLS_CERT is set, but not SLUICE_TLS_KEY; a certificate needs its key"],
    [{ SLUICE_TLS_KEY: "a" }, "SLUICE_TLS_KEY is set, but not SLUICE_TLS_CERT; a certificate needs its key"],
    [{ SLUICE_TLS_CLIENT_CA: "a" }, "SLUICE_TLS_CLIENT_CA is set, but not SLUICE_TLS_CERT and SLUICE_TLS_KEY"],
  ])("refuses %j", (values, fault) => {
    expect(faultsOf(() => nameServerTlsFiles(values, "/"))).toEqual([fault]);
  });
});

describe("readTlsMaterial", () => {
  it("reads a chain, its key and a client CA", () => {
    const material = readTlsMaterial(filesOf({ ca: paths.ca }));

    expect(material.context).toMatchObject({
      cert: `${server.cert}${ca.cert}`,
      key: server.key,
      ca: ca.cert,
      minVersion: "TLSv1.2",
    });
    expect(material.certificate.subject).toBe("CN=localhost");
    expect(material.warnings).toEqual([]);
  });

  it.each([
    ["a file that is not there", { cert: paths.missing }, `SLUICE_TLS_CERT (${paths.missing}) cannot be read (ENOENT)`],
    ["a folder", { key: "/" }, "SLUICE_TLS_KEY (/) is not a file of 1 MiB at most"],
    ["a device", { cert: "/dev/zero" }, "SLUICE_TLS_CERT (/dev/zero) is not a file of 1 MiB at most"],
    ["text", { cert: paths.text }, `SLUICE_TLS_CERT (${paths.text}) holds no certificate in PEM form`],
    ["a key for a certificate", { cert: paths.key }, `SLUICE_TLS_CERT (${paths.key}) holds no certificate in PEM form`],
    ["a certificate for a key", { key: paths.ca }, `SLUICE_TLS_KEY (${paths.ca}) holds no private key in PEM form`],
    ["a broken certificate", { ca: paths.broken }, `SLUICE_TLS_CLIENT_CA (${paths.broken}) holds a certificate that`],
    ["an encrypted key", { key: paths.encrypted }, `SLUICE_TLS_KEY (${paths.encrypted}) is encrypted; Sluice takes`],
    [
      "the key of another certificate",
      { key: paths.otherKey },
      `SLUICE_TLS_KEY (${paths.otherKey}) is not the key of the first certificate in SLUICE_TLS_CERT (${paths.cert})`,
    ],
  ])("refuses %s", (_, change, fault) => {
    expect(faultsOf(() => readTlsMaterial(filesOf(change)))).toEqual([expect.stringContaining(fault)]);
  });

  it("tells of all files at once", () => {
    const files = filesOf({ cert: paths.missing, key: paths.text, ca: paths.text });

    expect(faultsOf(() => readTlsMaterial(files)).map((fault) => fault.split(" ")[0])).toEqual([
      "SLUICE_TLS_CERT",
      "SLUICE_TLS_KEY",
      "SLUICE_TLS_CLIENT_CA",
    ]);
  });

  it("warns of a certificate that has expired", () => {
    const expired = ca.issue({ days: -1 });
    const cert = write("expired-server.pem", expired.cert);
    const key = write("expired-server.key", expired.key);

    expect(readTlsMaterial(filesOf({ cert, key })).warnings).toEqual([
      expect.stringMatching(/^SLUICE_TLS_CERT \(.*\): the certificate expired on /),
    ]);
  });
});

describe("readClientTls", () => {
  it("reads what the command line trusts and shows", () => {
    const own = { SLUICE_TLS_CLIENT_CERT: paths.cert, SLUICE_TLS_CLIENT_KEY: paths.key };

    expect(readClientTls({}, "/")).toBeUndefined();
    expect(readClientTls({ SLUICE_TLS_CA: paths.ca }, "/")).toEqual({ ca: ca.cert });
    expect(readClientTls(own, "/")).toEqual({ cert: `${server.cert}${ca.cert}`, key: server.key });
  });

  it.each([
    [{ SLUICE_TLS_CLIENT_CERT: "a" }, "SLUICE_TLS_CLIENT_CERT is set, but not SLUICE_TLS_CLIENT_KEY"],
    [{ SLUICE_TLS_CA: paths.text }, `SLUICE_TLS_CA (${paths.text}) holds no certificate in PEM form`],
  ])("refuses %j", (values, fault) => {
    expect(faultsOf(() => readClientTls(values, "/"))).toEqual([expect.stringContaining(fault)]);
  });
});
