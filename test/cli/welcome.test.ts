import { execFileSync } from "node:child_process";
import { describe, expect, it } from "vitest";
import { createWelcome } from "../../src/cli/welcome.ts";

const address = { httpAddress: "127.0.0.1:8080", grpcAddress: "127.0.0.1:50051" };

/** The words that a shell makes of a line, the program being replaced by one that prints them. */
function wordsOf(line: string): string[] {
  const printed = execFileSync("sh", ["-c", `printf '%s\\n' ${line}`], { encoding: "utf8" });
  return printed.trimEnd().split("\n");
}

describe("createWelcome", () => {
  it("has lines that trust the server's certificate, and show one if they have to, over TLS", () => {
    const facts = { ...address, devKey: { key: "k", isNew: false }, configPath: undefined };
    const tls = { certFile: "/etc/it's/tls.pem", isClientCertificateRequired: true, dnsNames: [] };
    const welcome = createWelcome({ ...facts, tls });
    const lines = welcome.split("\n").map((line) => line.trim());

    for (const program of ["curl ", "npx buf "]) {
      const words = wordsOf(lines.find((line) => line.startsWith(program)) ?? "").join(" ");
      expect(words).toContain("--cacert /etc/it's/tls.pem --cert client.pem --key client.key -H");
      expect(words).not.toContain("--http2-prior-knowledge");
    }
    expect(welcome).not.toContain("http:");
    expect(createWelcome({ ...facts, tls: undefined })).not.toContain("https:");
  });

  it("has two lines that a shell reads as they are meant, whatever the key", () => {
    const key = `it's"$(a),;key\\!`;
    const welcome = createWelcome({ ...address, devKey: { key, isNew: false } });
    const lines = welcome.split("\n").map((line) => line.trim());

    expect(wordsOf(lines.find((line) => line.startsWith("curl ")) ?? "")).toEqual([
      "curl",
      "-H",
      `authorization: Bearer ${key}`,
      "-H",
      "content-type: application/json",
      "-d",
      '{"event":{"name":"hello","identities":{"user":"ada"},"value":42}}',
      "http://127.0.0.1:8080/sluice.v1.EventService/Track",
    ]);
    const bufWords = wordsOf(lines.find((line) => line.startsWith("npx buf ")) ?? "");
    expect(bufWords.slice(-5)).toEqual([
      "-H",
      `"authorization: Bearer it's""$(a),;key\\!"`,
      "-d",
      '{"pageSize":5}',
      "http://127.0.0.1:50051/sluice.v1.EventService/ListEvents",
    ]);
  });

  it.each<[string, string[] | undefined, string]>([
    ["127.0.0.1", undefined, "127.0.0.1"],
    ["10.0.0.1", undefined, "10.0.0.1"],
    ["0.0.0.0", undefined, "localhost"],
    ["[::]", undefined, "localhost"],
    ["[::1]", undefined, "[::1]"],
    ["[fe80::1%eth0]", undefined, "[fe80::1%eth0]"],
    ["0.0.0.0", ["events.example.org"], "events.example.org"],
    ["0.0.0.0", ["events.example.org", "localhost"], "localhost"],
    ["0.0.0.0", [], "localhost"],
    ["127.0.0.1", ["localhost"], "localhost"],
    ["events.example.org", ["localhost", "events.example.org"], "events.example.org"],
  ])("at %s, with a certificate for %j, has lines for %s", (host, dnsNames, expected) => {
    const tls = dnsNames && { certFile: "tls.pem", isClientCertificateRequired: false, dnsNames };
    const welcome = createWelcome({ httpAddress: `${host}:80`, grpcAddress: `${host}:50051`, tls, configPath: "f" });

    expect(welcome).toContain(`://${host}:80   Connect`);
    expect(welcome).toContain(`://${expected}:80/sluice.v1.EventService/Track\n`);
    expect(welcome).toContain(`://${expected}:50051/sluice.v1.EventService/ListEvents\n`);
  });

  it("says that it serves the development project only, on loopback only", () => {
    expect(createWelcome({ ...address, devKey: { key: "k", isNew: true } })).toMatch(
      /^Sluice serves the development project only, on loopback only\n/,
    );
  });

  it("names the file of projects, and takes the key from the shell, where there is one", () => {
    const welcome = createWelcome({ ...address, configPath: "/etc/sluice.yaml" });

    expect(welcome).toContain("projects and keys: /etc/sluice.yaml\n");
    expect(welcome).not.toContain("development");
    expect(welcome.match(/-H "authorization: Bearer \$SLUICE_KEY"/g)).toHaveLength(2);
  });
});
