import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readDevKey, saveDevKey } from "../../src/config/dev-key.ts";
import { keepDevKey, readClientConfig, readServerConfig } from "../../src/config/server-config.ts";
import { variableNames } from "../../src/config/variables.ts";
import { StartError } from "../../src/domain/start-error.ts";
import { createTestCa } from "../support/certificates.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "sluice-config-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const key = "0123456789abcdef";

function faultsOf(env: NodeJS.ProcessEnv): string[] {
  try {
    readServerConfig(env, folder);
  } catch (error) {
    if (error instanceof StartError) return error.message.split("\n");
  }
  return [];
}

describe("readServerConfig", () => {
  it("has a default for everything, empty variables counting as unset", () => {
    const { config, warnings } = readServerConfig({ SLUICE_HOST: "", SLUICE_HTTP_PORT: "", PATH: "/bin" }, folder);

    expect(config).toEqual({
      configPath: undefined,
      host: "127.0.0.1",
      httpPort: 8080,
      grpcPort: 50051,
      redisUrl: undefined,
      redisServer: undefined,
      dataDir: join(folder, "data"),
      logLevel: "info",
      devKey: { key: expect.any(String), isNew: true },
    });
    expect(warnings).toEqual([]);
    expect(Object.isFrozen(config) && Object.isFrozen(config.devKey)).toBe(true);
  });

  it("reads every variable", () => {
    const env = {
      SLUICE_HOST: "::1",
      SLUICE_HTTP_PORT: "0",
      SLUICE_GRPC_PORT: "0",
      SLUICE_REDIS_URL: "rediss://user:pass@cache:6380/2",
      SLUICE_REDIS_SERVER: "bin/redis-server",
      SLUICE_DATA_DIR: "elsewhere/../kept",
      SLUICE_LOG_LEVEL: "debug",
      SLUICE_DEV_KEY: key,
      SLUICE_TLS_CERT: "tls.crt",
      SLUICE_TLS_KEY: "/etc/tls.key",
      SLUICE_TLS_CLIENT_CA: "ca.crt",
    };

    expect(readServerConfig(env, folder).config).toEqual({
      host: "::1",
      httpPort: 0,
      grpcPort: 0,
      redisUrl: "rediss://user:pass@cache:6380/2",
      redisServer: "bin/redis-server",
      dataDir: join(folder, "kept"),
      logLevel: "debug",
      devKey: { key, isNew: false },
      tls: {
        cert: { variable: "SLUICE_TLS_CERT", path: join(folder, "tls.crt") },
        key: { variable: "SLUICE_TLS_KEY", path: "/etc/tls.key" },
        ca: { variable: "SLUICE_TLS_CLIENT_CA", path: join(folder, "ca.crt") },
      },
    });
  });

  it("reports all faults at once, none with a secret", () => {
    const faults = faultsOf({
      SLUICE_HOST: "0.0.0.0",
      SLUICE_HTTP_PORT: "65536",
      SLUICE_GRPC_PORT: "1e3",
      SLUICE_REDIS_URL: "http://user:hunter2@cache",
      SLUICE_LOG_LEVEL: "loud",
      SLUICE_DEV_KEY: "too-short",
      SLUICE_TLS_KEY: "tls.key",
    });

    expect(faults).toEqual([
      'SLUICE_HOST is "0.0.0.0"; it must be a loopback address, such as 127.0.0.1, as the development project is served to no one else; for any other, SLUICE_CONFIG must name a file of projects',
      'SLUICE_HTTP_PORT is "65536"; it must be a port: a number from 0 (any free one) to 65535',
      'SLUICE_GRPC_PORT is "1e3"; it must be a port: a number from 0 (any free one) to 65535',
      "SLUICE_REDIS_URL is not valid; it must be redis://host:port, rediss://host:port or the absolute path of a unix socket",
      'SLUICE_LOG_LEVEL is "loud"; it must be one of trace, debug, info, warn, error, fatal, silent',
      "SLUICE_DEV_KEY is not valid; it must be 16 to 256 visible ASCII characters, without spaces",
      "SLUICE_TLS_KEY is set, but not SLUICE_TLS_CERT; a certificate needs its key",
    ]);
  });

  it.each(["127.0.0.1", "127.8.8.8", "localhost", "::1", "0:0:0:0:0:0:0:1"])("listens on %s", (host) => {
    expect(readServerConfig({ SLUICE_HOST: host }, folder).config.host).toBe(host);
  });

  it.each(["0.0.0.0", "::", "10.0.0.1", "128.0.0.1", "example.org", "127.0.0.1.example.org", "fe80::1"])(
    "does not listen on %s without a configuration",
    (host) => {
      expect(faultsOf({ SLUICE_HOST: host })).toEqual([expect.stringMatching(/^SLUICE_HOST is .* loopback/)]);
    },
  );

  it("refuses a certificate without its key", () => {
    expect(faultsOf({ SLUICE_TLS_CERT: "tls.crt" })).toEqual([
      "SLUICE_TLS_CERT is set, but not SLUICE_TLS_KEY; a certificate needs its key",
    ]);
  });

  it("refuses one port for two listeners", () => {
    expect(faultsOf({ SLUICE_HTTP_PORT: "", SLUICE_GRPC_PORT: "8080", SLUICE_HOST: "a b" })).toEqual([
      expect.stringMatching(/^SLUICE_HOST is /),
      "SLUICE_HTTP_PORT and SLUICE_GRPC_PORT are both 8080; they must differ",
    ]);
    expect(faultsOf({ SLUICE_HTTP_PORT: "0", SLUICE_GRPC_PORT: "0" })).toEqual([]);
    expect(faultsOf({ SLUICE_HTTP_PORT: "x", SLUICE_GRPC_PORT: "x" })).toHaveLength(2);
  });

  it("warns of names that it does not know, with the nearest that it does, and not of the command line's", () => {
    const env = { SLUICE_HTP_PORT: "secret", SLUICE_SERVICE_PORT: "1", SLUICE_URL: "http://x", SLUICEBOX: "y" };

    expect(readServerConfig(env, folder).warnings).toEqual([
      "SLUICE_HTP_PORT is not a variable of Sluice and has no effect; the nearest is SLUICE_HTTP_PORT",
      "SLUICE_SERVICE_PORT is not a variable of Sluice and has no effect; the nearest is SLUICE_GRPC_PORT",
    ]);
  });

  it("finds the kept development key again", () => {
    const { config } = readServerConfig({}, folder);
    keepDevKey(config);

    expect(readServerConfig({}, folder).config.devKey).toEqual({ key: config.devKey?.key, isNew: false });
  });

  describe("with SLUICE_CONFIG", () => {
    it.each(["0.0.0.0", "::", "10.0.0.1", "events.example.org", "localhost"])("listens on %s", (host) => {
      const { config } = readServerConfig({ SLUICE_CONFIG: "sluice.yaml", SLUICE_HOST: host }, folder);

      expect(config).toMatchObject({ host, configPath: join(folder, "sluice.yaml") });
    });

    it.each(["no host", "http://example.org", "10.0.0.1:80", "-x"])("refuses %s as a host", (host) => {
      expect(faultsOf({ SLUICE_CONFIG: "sluice.yaml", SLUICE_HOST: host })).toEqual([
        `SLUICE_HOST is "${host}"; it must be an address of this machine, or a name of it`,
      ]);
    });

    it("listens on loopback unless told otherwise", () => {
      expect(readServerConfig({ SLUICE_CONFIG: "/etc/sluice.yaml" }, folder).config.host).toBe("127.0.0.1");
    });

    it.each(["0.0.0.0", "::", "events.example.org"])("warns that keys travel unencrypted to %s", (host) => {
      const env = { SLUICE_CONFIG: "s.yaml", SLUICE_HOST: host };
      const withTls = { ...env, SLUICE_TLS_CERT: "tls.crt", SLUICE_TLS_KEY: "tls.key" };

      expect(readServerConfig(env, folder).warnings).toEqual([
        `keys travel unencrypted: SLUICE_HOST is ${host}, and there is no TLS; set SLUICE_TLS_CERT and SLUICE_TLS_KEY, unless a proxy before it does TLS`,
      ]);
      expect(readServerConfig(withTls, folder).warnings).toEqual([]);
      expect(readServerConfig({ ...env, SLUICE_HOST: "localhost" }, folder).warnings).toEqual([]);
    });

    it("minds no development key that is malformed, given or kept", () => {
      mkdirSync(join(folder, "data"));
      writeFileSync(join(folder, "data", "dev-key"), "short");

      const { warnings } = readServerConfig({ SLUICE_CONFIG: "s.yaml", SLUICE_DEV_KEY: "short" }, folder);

      expect(warnings).toHaveLength(1);
    });

    it("neither reads, makes nor keeps a development key, and says that the one given has no effect", () => {
      saveDevKey(join(folder, "data"), key);
      const { config, warnings } = readServerConfig({ SLUICE_CONFIG: "s.yaml", SLUICE_DEV_KEY: `${key}-2` }, folder);
      keepDevKey(config);

      expect(config.devKey).toBeUndefined();
      expect(readDevKey(join(folder, "data"))).toBe(key);
      expect(warnings).toEqual(["SLUICE_DEV_KEY has no effect: with SLUICE_CONFIG, there is no development project"]);
    });
  });
});

describe("docs/configuration.md", () => {
  it("names every variable", () => {
    const text = readFileSync("docs/configuration.md", "utf8");

    expect(variableNames.filter((name) => !text.includes(`\`${name}\``))).toEqual([]);
  });
});

describe("readClientConfig", () => {
  const own = () => join(folder, "own");

  it("takes the key given, for any server", () => {
    const env = { SLUICE_URL: "https://events.example.org/base/", SLUICE_KEY: "k" };

    expect(readClientConfig(env, folder, own()).config).toEqual({ url: "https://events.example.org/base", key: "k" });
  });

  it("reads what to trust, and warns when that has no effect", () => {
    const { cert } = createTestCa();
    writeFileSync(join(folder, "ca.pem"), cert);
    const env = { SLUICE_KEY: "k", SLUICE_TLS_CA: "ca.pem" };

    expect(readClientConfig({ ...env, SLUICE_URL: "https://a" }, folder, own())).toEqual({
      config: { url: "https://a", key: "k", tls: { ca: cert } },
      warnings: [],
    });
    expect(readClientConfig({ ...env, SLUICE_URL: "http://a" }, folder, own()).warnings).toEqual([
      "SLUICE_TLS_CA has no effect: SLUICE_URL is not https://",
    ]);
  });

  it("takes the development key of ./data, else of its own folder", () => {
    saveDevKey(join(own(), "data"), `${key}-own`);
    expect(readClientConfig({}, folder, own()).config).toEqual({ url: "http://127.0.0.1:8080", key: `${key}-own` });

    saveDevKey(join(folder, "data"), `${key}-here`);
    expect(readClientConfig({}, folder, own()).config.key).toBe(`${key}-here`);
  });

  it("looks nowhere but in SLUICE_DATA_DIR when that is set", () => {
    saveDevKey(join(folder, "data"), key);

    expect(() => readClientConfig({ SLUICE_DATA_DIR: "other" }, folder, own())).toThrow(
      `SLUICE_KEY is not set, and there is no development key in ${join(folder, "other")}`,
    );
  });

  it.each(["http://events.example.org", "http://127.0.0.1.example.org:8080", "http://10.0.0.1"])(
    "does not tell %s the development key",
    (url) => {
      saveDevKey(join(folder, "data"), key);

      expect(() => readClientConfig({ SLUICE_URL: url }, folder, own())).toThrow(/SLUICE_KEY is not set, and .* needs/);
    },
  );

  it.each(["localhost:8080", "ftp://x", "http://user:pass@host", "http://host/?a"])("refuses the URL %s", (url) => {
    expect(() => readClientConfig({ SLUICE_URL: url, SLUICE_KEY: key }, folder, own())).toThrow(
      /^SLUICE_URL is not valid; it must be http:/,
    );
  });

  it("refuses a key that no header can hold, without repeating it", () => {
    expect(() => readClientConfig({ SLUICE_KEY: "two words" }, folder, own())).toThrow(
      "SLUICE_KEY is not valid; it must be visible ASCII characters",
    );
  });
});
