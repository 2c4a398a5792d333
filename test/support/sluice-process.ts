import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll } from "vitest";

/** The project's folder. */
export const projectDir = new URL("../..", import.meta.url).pathname;

/** The real server, in a process of its own, on free ports and in a data folder of its own. */
export class SluiceProcess {
  readonly dataDir = mkdtempSync(join(tmpdir(), "sluice-e2e-"));
  readonly key = "e2e-key-0123456789abcdef";
  readonly #env: Record<string, string>;
  #child: ChildProcess | undefined;
  #output = "";
  #log = "";

  constructor(env: Record<string, string> = {}) {
    this.#env = env;
  }

  /** Its environment; the command line finds the server by it. */
  get env(): Record<string, string> {
    return {
      ...baseEnv(),
      SLUICE_DATA_DIR: this.dataDir,
      SLUICE_HTTP_PORT: "0",
      SLUICE_GRPC_PORT: "0",
      SLUICE_DEV_KEY: this.key,
      ...this.#env,
    };
  }

  /** What it printed. */
  get output(): string {
    return this.#output;
  }

  /** What it logged: JSON lines. */
  get log(): string {
    return this.#log;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error("this Sluice is not running");
    return pid;
  }

  /** Host and port of everything. */
  get httpAddress(): string {
    return this.#find(/^ {2}https?:\/\/(\S+) {3}Connect/m);
  }

  /** Host and port of gRPC alone. */
  get grpcAddress(): string {
    return this.#find(/^ {2}https?:\/\/(\S+) {3}gRPC$/m);
  }

  /** Of its embedded Redis. */
  get redisPid(): number {
    return Number(readFileSync(join(this.dataDir, "redis.pid"), "utf8"));
  }

  /** Starts it, and resolves when it serves. Rejects with what it said when it ends instead. */
  async start(command = join(projectDir, "bin/sluice"), args: readonly string[] = ["serve"]): Promise<void> {
    this.#output = "";
    this.#log = "";
    const child = spawn(command, args, { env: this.env, cwd: projectDir, stdio: ["ignore", "pipe", "pipe"] });
    this.#child = child;
    child.stderr.on("data", (chunk) => {
      this.#log += chunk;
    });
    await new Promise<void>((resolve, reject) => {
      child.stdout.on("data", (chunk) => {
        this.#output += chunk;
        if (this.#output.includes("ListEvents")) resolve();
      });
      child.once("close", (code) => reject(new Error(`Sluice ended with ${code}: ${this.#output}${this.#log}`)));
    });
  }

  /** Sends it a signal, and resolves with its exit code when it is gone. */
  async end(signal: NodeJS.Signals = "SIGTERM"): Promise<number | null> {
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return child?.exitCode ?? null;
    const closed = once(child, "exit");
    child.kill(signal);
    await closed;
    return child.exitCode;
  }

  /** Ends it if it runs, and removes its data. */
  async remove(): Promise<void> {
    await this.end();
    rmSync(this.dataDir, { recursive: true, force: true });
  }

  #find(pattern: RegExp): string {
    const found = pattern.exec(this.#output)?.[1];
    if (found === undefined) throw new Error(`Sluice did not say where it listens: ${this.#output}`);
    return found;
  }
}

/** A Sluice for the tests of a file; gone with its data after the last. */
export function useSluice(env: Record<string, string> = {}): SluiceProcess {
  const sluice = new SluiceProcess(env);
  afterAll(() => sluice.remove());
  return sluice;
}

/** What a command did. */
export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string; stdin?: string } = {},
): Promise<CommandResult> {
  const child = spawn(command, args, {
    env: options.env ?? baseEnv(),
    cwd: options.cwd ?? projectDir,
    stdio: ["pipe", "pipe", "pipe"],
  });
  let stdout = "";
  let stderr = "";
  child.stdout.on("data", (chunk) => {
    stdout += chunk;
  });
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdin.on("error", () => {});
  child.stdin.end(options.stdin ?? "");
  const [exitCode] = await once(child, "close");
  return { exitCode: typeof exitCode === "number" ? exitCode : null, stdout, stderr };
}

/** Runs the command line against a server. */
export function runSluice(sluice: SluiceProcess, args: readonly string[], stdin?: string): Promise<CommandResult> {
  const env = { ...baseEnv(), SLUICE_URL: `http://${sluice.httpAddress}`, SLUICE_KEY: sluice.key };
  return runCommand(join(projectDir, "bin/sluice"), args, { env, ...(stdin === undefined ? {} : { stdin }) });
}

/** This process' environment without what would configure a Sluice. */
function baseEnv(): Record<string, string> {
  const entries = Object.entries(process.env).filter(
    (entry): entry is [string, string] =>
      entry[1] !== undefined && (!entry[0].startsWith("SLUICE_") || entry[0] === "SLUICE_REDIS_SERVER"),
  );
  return { ...Object.fromEntries(entries), PATH: `${join(projectDir, "node_modules/.bin")}:${process.env.PATH}` };
}
