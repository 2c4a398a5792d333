import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterEach, describe, expect, it, vi } from "vitest";
import { StartError } from "../../src/domain/start-error.ts";
import { nameServerTlsFiles } from "../../src/tls/tls-files.ts";
import { type WatchedTlsIdentity, watchTlsIdentity } from "../../src/tls/tls-identity.ts";
import { captureLog } from "../support/captured-log.ts";
import { type Certificate, createTestCa, useFiles } from "../support/certificates.ts";
import { waitUntil } from "../support/wait-until.ts";

const write = useFiles();
const root = dirname(write("x", ""));
const ca = createTestCa();

const watched: WatchedTlsIdentity[] = [];
afterEach(() => {
  vi.useRealTimers();
  for (const identity of watched.splice(0)) identity.stop();
});

let folders = 0;

/** Watches files in a folder of their own; `shown` are the certificates that a server was given, in order. */
function watch(first: Certificate, { pollMs = 5, withCa = false } = {}) {
  const folder = join(root, `${folders++}`);
  mkdirSync(folder);
  const [cert, key, clientCa] = ["tls.crt", "tls.key", "ca.crt"].map((name) => join(folder, name));
  const put = ({ cert: certPem, key: keyPem }: Certificate) => {
    writeFileSync(`${cert}`, certPem);
    writeFileSync(`${key}`, keyPem);
  };
  put(first);
  if (withCa) writeFileSync(`${clientCa}`, ca.cert);
  const files = nameServerTlsFiles(
    { SLUICE_TLS_CERT: cert, SLUICE_TLS_KEY: key, SLUICE_TLS_CLIENT_CA: withCa ? clientCa : undefined },
    "/",
  );
  if (files === undefined) throw new Error("files were named");
  const log = captureLog();
  const identity = watchTlsIdentity({ files, logger: log.logger, pollMs });
  watched.push(identity);
  const shown: unknown[] = [];
  const stopShowing = identity.subscribe(({ cert }) => void shown.push(cert));
  return { folder, files, log, identity, shown, stopShowing, put };
}

describe("watchTlsIdentity", () => {
  const first = ca.issue({ name: "first" });
  const second = ca.issue({ name: "second" });

  it("shows what the files hold, and says which certificate that is", () => {
    const { shown, log, identity } = watch(first, { withCa: true });

    expect(shown).toEqual([first.cert]);
    expect(identity.isClientCertificateRequired).toBe(true);
    expect(log.lines).toHaveLength(1);
    expect(JSON.parse(log.lines[0] ?? "")).toMatchObject({
      subject: "CN=first",
      subjectAltName: "DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1",
      validTo: expect.stringContaining("GMT"),
    });
  });

  it("rejects files that are not sound at the start", () => {
    expect(() => watch({ cert: first.cert, key: second.key })).toThrow(StartError);
  });

  it("shows what the files hold when they change", async () => {
    const { shown, log, put } = watch(first);

    put(second);

    await waitUntil(() => shown.length === 2);
    expect(shown[1]).toBe(second.cert);
    expect(log.containing("CN=second")).toHaveLength(1);
  });

  it("follows a link to another folder, as Kubernetes puts it", async () => {
    const folder = join(root, "mount");
    for (const [version, certificate] of [first, second].entries()) {
      mkdirSync(join(folder, `v${version}`), { recursive: true });
      writeFileSync(join(folder, `v${version}`, "tls.crt"), certificate.cert);
      writeFileSync(join(folder, `v${version}`, "tls.key"), certificate.key);
    }
    symlinkSync("v0", join(folder, "..data"));
    for (const name of ["tls.crt", "tls.key"]) symlinkSync(join("..data", name), join(folder, name));
    const files = nameServerTlsFiles({ SLUICE_TLS_CERT: "tls.crt", SLUICE_TLS_KEY: "tls.key" }, folder);
    if (files === undefined) throw new Error("files were named");
    const identity = watchTlsIdentity({ files, logger: captureLog().logger, pollMs: 5 });
    watched.push(identity);
    const shown: unknown[] = [];
    identity.subscribe(({ cert }) => void shown.push(cert));

    symlinkSync("v1", join(folder, "..data_tmp"));
    renameSync(join(folder, "..data_tmp"), join(folder, "..data"));

    await waitUntil(() => shown[1] === second.cert);
  });

  it.each<[string, (w: ReturnType<typeof watch>) => void]>([
    ["broken", ({ files }) => writeFileSync(files.cert.path, "broken")],
    ["of another key", ({ files }) => writeFileSync(files.cert.path, second.cert)],
    ["gone", ({ files }) => rmSync(files.cert.path)],
  ])("keeps what it shows, and says so once without a key, when the certificate is %s", async (_, harm) => {
    const one = watch(first);
    harm(one);

    await waitUntil(() => one.log.containing("of no use").length === 1);
    expect(one.shown).toEqual([first.cert]);
    expect(one.log.containing("PRIVATE KEY")).toEqual([]);
    expect(one.log.containing(first.key.split("\n")[1] ?? "")).toEqual([]);

    one.put(second);
    await waitUntil(() => one.shown[1] === second.cert);
  });

  it("waits for the key of a certificate that is written before it", () => {
    vi.useFakeTimers();
    const { shown, log, files } = watch(first, { pollMs: 10 });
    const start = log.lines.length;

    writeFileSync(files.cert.path, second.cert);
    vi.advanceTimersByTime(10);
    writeFileSync(files.key.path, second.key);
    vi.advanceTimersByTime(20);

    expect(shown).toEqual([first.cert, second.cert]);
    expect(log.lines).toHaveLength(start + 1);
    expect(log.containing("of no use")).toEqual([]);
  });

  it("does not mind files that were merely touched", () => {
    vi.useFakeTimers();
    const { log, put } = watch(first, { pollMs: 10 });

    put(first);
    vi.advanceTimersByTime(100);

    expect(log.lines).toHaveLength(1);
  });

  it("logs what a listener throws, and serves on", () => {
    const { identity, log, put } = watch(first, { pollMs: 60_000 });
    let calls = 0;
    identity.subscribe(() => {
      if (++calls > 1) throw new TypeError("ours");
    });

    put(second);
    identity.reload();

    expect(calls).toBe(2);
    expect(log.containing("ours")).toHaveLength(1);
  });

  it("names the DNS names of the certificate that it shows", () => {
    expect(watch(first).identity.dnsNames()).toEqual(["localhost"]);
  });

  it("looks at once when it is told to, and says what it found", () => {
    const { shown, log, put, identity, files } = watch(first, { pollMs: 60_000 });

    identity.reload();
    expect(shown).toHaveLength(1);
    expect(log.containing("CN=first")).toHaveLength(2);
    put(second);
    identity.reload();
    expect(shown).toEqual([first.cert, second.cert]);
    writeFileSync(files.key.path, "");
    identity.reload();
    identity.reload();
    expect(log.containing("of no use")).toHaveLength(2);
  });

  it("takes another client CA", async () => {
    const one = watch(first, { withCa: true });

    writeFileSync(one.files.ca?.path ?? "", createTestCa("Other").cert);

    await waitUntil(() => one.shown.length === 2);
  });

  it("tells nobody who has stopped listening", () => {
    const { shown, identity, put, stopShowing } = watch(first, { pollMs: 60_000 });

    stopShowing();
    put(second);
    identity.reload();

    expect(shown).toHaveLength(1);
  });
});
