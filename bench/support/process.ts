import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync } from "node:fs";

/** A server in a process of its own. */
export interface MeasuredProcess {
  readonly pid: number;
  /** What it printed until it was ready. */
  readonly output: string;
  /** Processor time that it has used so far, in µs; 0 where the system does not tell. */
  cpuUs(): number;
  stop(): Promise<void>;
}

/** Starts a program, and waits until what it prints matches. Rejects when it ends before. It ends with this process. */
export async function startProcess(
  command: string,
  args: readonly string[],
  isReady: RegExp,
  env: Record<string, string> = {},
): Promise<MeasuredProcess> {
  const child = spawn(command, args, { env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "inherit"] });
  const kill = () => child.kill("SIGTERM");
  process.once("exit", kill);
  const output = await readUntil(child, isReady);
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command} has no pid`);
  return {
    pid,
    output,
    cpuUs: () => readCpuUs(pid),
    async stop() {
      process.off("exit", kill);
      if (child.exitCode !== null) return;
      const exited = once(child, "exit");
      kill();
      await exited;
    },
  };
}

function readUntil(child: ChildProcess, isReady: RegExp): Promise<string> {
  return new Promise((resolve, reject) => {
    let output = "";
    child.stdout?.on("data", (chunk) => {
      output += chunk;
      if (isReady.test(output)) resolve(output);
    });
    child.once("exit", (code) => reject(new Error(`${child.spawnfile} ended with ${code}: ${output}`)));
    child.once("error", reject);
  });
}

/** Linux counts in hundredths of a second. */
function readCpuUs(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]?.split(" ") ?? [];
    return (Number(fields[11]) + Number(fields[12])) * 10_000;
  } catch {
    return 0;
  }
}
