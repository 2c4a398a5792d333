import { createHash, generateKeyPairSync, type KeyObject, randomBytes, sign } from "node:crypto";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** A certificate and its key, as PEM. */
export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

export interface CertificateOptions {
  readonly name?: string;
  /** Days from now. */
  readonly days?: number;
}

/** A CA for tests, and what it issues: for localhost, 127.0.0.1 and ::1. */
export interface TestCa extends Certificate {
  issue(options?: CertificateOptions): Certificate;
}

/** Makes a CA with a key of its own. */
export function createTestCa(name = "Test CA"): TestCa {
  const keys = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const issuer = { name, key: keys.privateKey };
  return {
    cert: createCertificate({ name, key: keys.publicKey, isCa: true, days: 1 }, issuer),
    key: keys.privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
    issue({ name: subject = "localhost", days = 1 } = {}) {
      const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
      return {
        cert: createCertificate({ name: subject, key: publicKey, isCa: false, days }, issuer),
        key: privateKey.export({ type: "pkcs8", format: "pem" }).toString(),
      };
    },
  };
}

/** A folder for the tests of a file, gone after the last; returns how to write a file in it, which returns its path. */
export function useFiles(): (name: string, content: string) => string {
  const folder = mkdtempSync(join(tmpdir(), "sluice-tls-"));
  afterAll(() => rmSync(folder, { recursive: true, force: true }));
  return (name, content) => {
    const path = join(folder, name);
    writeFileSync(path, content);
    return path;
  };
}

interface Subject {
  readonly name: string;
  readonly key: KeyObject;
  readonly isCa: boolean;
  readonly days: number;
}

/** X.509 (RFC 5280) by hand, as Node has no way to make one. */
function createCertificate(subject: Subject, issuer: { readonly name: string; readonly key: KeyObject }): string {
  const algorithm = der(0x30, objectIds.ecdsaWithSha256);
  const now = Date.now();
  const end = now + subject.days * 24 * 60 * 60 * 1000;
  const spki = subject.key.export({ type: "spki", format: "der" });
  const tbs = der(
    0x30,
    der(0xa0, der(0x02, Buffer.from([2]))),
    der(0x02, Buffer.concat([Buffer.from([1]), randomBytes(8)])),
    algorithm,
    nameOf(issuer.name),
    der(0x30, timeOf(Math.min(now, end) - 60_000), timeOf(end)),
    nameOf(subject.name),
    spki,
    der(0xa3, der(0x30, ...extensionsOf(subject, spki))),
  );
  const signature = der(0x03, Buffer.from([0]), sign("sha256", tbs, issuer.key));
  const base64 = der(0x30, tbs, algorithm, signature).toString("base64");
  return `-----BEGIN CERTIFICATE-----\n${base64.replace(/.{1,64}/g, "$&\n")}-----END CERTIFICATE-----\n`;
}

const objectIds = {
  ecdsaWithSha256: objectId("2a8648ce3d040302"),
  commonName: objectId("550403"),
  subjectKeyId: objectId("551d0e"),
  subjectAltName: objectId("551d11"),
  basicConstraints: objectId("551d13"),
};

function objectId(hex: string): Buffer {
  return der(0x06, Buffer.from(hex, "hex"));
}

function nameOf(text: string): Buffer {
  return der(0x30, der(0x31, der(0x30, objectIds.commonName, der(0x0c, Buffer.from(text)))));
}

function timeOf(ms: number): Buffer {
  return der(0x18, Buffer.from(new Date(ms).toISOString().replace(/[-:T]|\.\d+/g, "")));
}

function extensionsOf({ isCa }: Subject, spki: Buffer): Buffer[] {
  const extension = (id: Buffer, value: Buffer) => der(0x30, id, der(0x04, value));
  const keyId = createHash("sha1").update(spki).digest();
  const hosts = [
    der(0x82, Buffer.from("localhost")),
    der(0x87, Buffer.from([127, 0, 0, 1])),
    der(0x87, Buffer.concat([Buffer.alloc(15), Buffer.from([1])])),
  ];
  return [
    extension(objectIds.subjectKeyId, der(0x04, keyId)),
    extension(objectIds.basicConstraints, isCa ? der(0x30, der(0x01, Buffer.from([0xff]))) : der(0x30)),
    ...(isCa ? [] : [extension(objectIds.subjectAltName, der(0x30, ...hosts))]),
  ];
}

function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  const { length } = content;
  const head = length < 0x80 ? [length] : length < 0x100 ? [0x81, length] : [0x82, length >> 8, length & 0xff];
  return Buffer.concat([Buffer.from([tag, ...head]), content]);
}
