import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";
import { checkNotEnding, own } from "./lifetime.ts";

/** A server in a process of its own. */
export interface MeasuredProcess {
  readonly pid: number;
  /** What it printed until it was ready. */
  readonly output: string;
  /** Processor time that it and its children have used so far, in µs; 0 where the system does not tell. */
  cpuUs(): number;
  stop(): Promise<void>;
}

export interface ProcessOptions {
  /** Beside those of this process. */
  readonly env?: Record<string, string>;
  /** Where it says that it is ready; the other one is passed on. Default: stdout. */
  readonly readyOn?: "stdout" | "stderr";
  /** Whom it runs as. Default: as this process. */
  readonly user?: { readonly uid: number; readonly gid: number };
  readonly cwd?: string;
  /** Default: SIGTERM. */
  readonly stopSignal?: NodeJS.Signals;
}

const stopMaxMs = 10_000;

/** Starts a program, and waits until what it prints matches. Rejects when it ends before. It ends with the bench. */
export async function startProcess(
  command: string,
  args: readonly string[],
  isReady: RegExp,
  { env = {}, readyOn = "stdout", user, cwd, stopSignal = "SIGTERM" }: ProcessOptions = {},
): Promise<MeasuredProcess> {
  checkNotEnding();
  const child = spawn(command, args, {
    env: { ...process.env, ...env },
    stdio: ["ignore", readyOn === "stdout" ? "pipe" : "inherit", readyOn === "stderr" ? "pipe" : "inherit"],
    ...user,
    ...(cwd !== undefined && { cwd }),
  });
  // The last resort, for a bench that dies.
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const stop = own(async () => {
    process.off("exit", kill);
    if (child.pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, "exit");
    child.kill(stopSignal);
    const timer = setTimeout(kill, stopMaxMs);
    await exited;
    clearTimeout(timer);
  });
  const output = await readUntil(child, isReady);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} has no pid`);
  return { pid, output, cpuUs: () => readCpuUs(pid), stop };
}

/** Runs a module in a Node of its own, which says on which address it listens. */
export async function startModule(
  module: URL,
  args: readonly string[] = [],
): Promise<MeasuredProcess & { readonly address: string }> {
  const server = await startProcess(process.execPath, [module.pathname, ...args], /listens on \S+\n/);
  return { ...server, address: /listens on (\S+)/.exec(server.output)?.[1] ?? "" };
}

function readUntil(child: ChildProcess, isReady: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    let isWaiting = true;
    (child.stdout ?? child.stderr)?.on("data", (chunk) => {
      // A server that is full of talk would fill the memory.
      if (isWaiting) output += chunk;
      if (!isWaiting || !isReady.test(output)) return;
      isWaiting = false;
      resolve(output);
    });
    child.once("exit", (code) => reject(new Error(`${child.spawnfile} ended with ${code}: ${output}`)));
    child.once("error", reject);
  });
}

/** Linux counts in hundredths of a second. */
function readCpuUs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    // Its own, and that of the children that have ended.
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, "utf8").split(" ").filter(Boolean);
    return children.reduce((sum, child) => sum + readCpuUs(Number(child)), ticks * 10_000);
  } catch {
    return 0;
  }
}
