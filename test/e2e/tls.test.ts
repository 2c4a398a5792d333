import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { connect } from "node:tls";
import { beforeAll, describe, expect, it } from "vitest";
import { createTestCa, useFiles } from "../support/certificates.ts";
import { openSocket } from "../support/open-socket.ts";
import { projectDir, runCommand, SluiceProcess, useSluice } from "../support/sluice-process.ts";
import { waitUntil } from "../support/wait-until.ts";

const write = useFiles();
const ca = createTestCa();
const clients = createTestCa("Clients");
const server = ca.issue({ name: "first" });
const client = clients.issue();
const files = {
  SLUICE_TLS_CERT: write("server.pem", `${server.cert}${ca.cert}`),
  SLUICE_TLS_KEY: write("server.key", server.key),
  SLUICE_TLS_CLIENT_CA: write("clients.pem", clients.cert),
};
const trust = { SLUICE_TLS_CA: write("ca.pem", ca.cert) };
const own = {
  SLUICE_TLS_CLIENT_CERT: write("client.pem", client.cert),
  SLUICE_TLS_CLIENT_KEY: write("client.key", client.key),
};

const sluice = useSluice({ SLUICE_TLS_CERT: files.SLUICE_TLS_CERT, SLUICE_TLS_KEY: files.SLUICE_TLS_KEY });
const strict = useSluice(files);

beforeAll(async () => {
  await Promise.all([sluice.start(), strict.start()]);
});

/** Runs the command line over https. */
function run(server: SluiceProcess, args: string[], env: Record<string, string>, stdin?: string) {
  return runCommand(join(projectDir, "bin/sluice"), args, {
    env: {
      PATH: String(process.env.PATH),
      SLUICE_URL: `https://${server.httpAddress}`,
      SLUICE_KEY: server.key,
      ...env,
    },
    ...(stdin === undefined ? {} : { stdin }),
  });
}

function portOf(address: string): number {
  return Number(address.split(":").at(-1));
}

/** The name in the certificate that a port shows. */
function nameAt(address: string): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port: portOf(address), ca: ca.cert, ALPNProtocols: ["h2"] });
    socket.on("error", reject);
    socket.once("secureConnect", () => {
      const { CN } = socket.getPeerCertificate().subject;
      resolve(typeof CN === "string" ? CN : undefined);
      socket.destroy();
    });
  });
}

describe("sluice serve with certificates", () => {
  it("is imported to and listed from by who trusts its CA", async () => {
    const imported = await run(sluice, ["import", "-"], trust, '{"id":"a","name":"deploy"}\n');
    const listed = await run(sluice, ["list", "--json"], trust);

    expect(imported).toMatchObject({ exitCode: 0 });
    expect(listed.stdout).toContain('"id":"a"');
  });

  it("is not trusted without its CA, which the command line says", async () => {
    const { exitCode, stderr } = await run(sluice, ["list"], {});

    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^no TLS connection: .*certificate.*; SLUICE_TLS_CA/);
  });

  it("prints lines that can be pasted", async () => {
    const lines = sluice.output.split("\n").map((line) => line.trim());
    const [curl, buf] = ["curl ", "npx buf "].map((start) => lines.find((line) => line.startsWith(start)) ?? "");

    const sent = await runCommand("bash", ["-euc", curl ?? ""], { env: sluice.env });
    const seen = await runCommand("bash", ["-euc", buf ?? ""], { env: sluice.env });

    expect(sent.stdout).toContain('"id"');
    expect(seen.stdout).toContain('"hello"');
  });

  it("answers nobody without TLS, on either port", async () => {
    for (const address of [sluice.httpAddress, sluice.grpcAddress]) {
      const request = "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
      expect(await (await openSocket(portOf(address), request)).closed).not.toContain("HTTP");
    }
    const plain = await run(sluice, ["list"], { SLUICE_URL: `http://${sluice.httpAddress}` });
    expect(plain.exitCode).toBe(1);
    expect(plain.stdout).toBe("");
  });

  it("shows a renewed certificate on both ports without a restart, and logs no key", async () => {
    const renewed = ca.issue({ name: "second" });
    writeFileSync(files.SLUICE_TLS_CERT, renewed.cert);
    await waitUntil(() => sluice.log.includes("of no use"));
    expect(await nameAt(sluice.httpAddress)).toBe("first");
    writeFileSync(files.SLUICE_TLS_KEY, renewed.key);

    await waitUntil(async () => (await nameAt(sluice.httpAddress)) === "second");
    expect(await nameAt(sluice.grpcAddress)).toBe("second");
    expect(sluice.log).not.toContain("PRIVATE KEY");
  });

  it("does not start with files that are of no use, and says which", async () => {
    const env = { SLUICE_TLS_CERT: trust.SLUICE_TLS_CA, SLUICE_TLS_KEY: own.SLUICE_TLS_CLIENT_KEY };
    const broken = new SluiceProcess(env);

    await expect(broken.start()).rejects.toThrow(/ended with 1: .*SLUICE_TLS_KEY \(.*\) is not the key of the first/s);
    await broken.remove();
  });
});

describe("sluice serve with a client CA", () => {
  it("serves who has a certificate of it, and nobody else", async () => {
    const shown = await run(strict, ["list"], { ...trust, ...own });
    const none = await run(strict, ["list"], trust);
    const foreign = ca.issue();
    const other = await run(strict, ["list"], {
      ...trust,
      SLUICE_TLS_CLIENT_CERT: write("foreign.pem", foreign.cert),
      SLUICE_TLS_CLIENT_KEY: write("foreign.key", foreign.key),
    });

    expect(shown).toMatchObject({ exitCode: 0 });
    expect([none.exitCode, other.exitCode]).toEqual([1, 1]);
    expect(none.stderr).toMatch(/^no TLS connection: tlsv13 alert certificate required; /);
  });
});
