import { readFileSync } from "node:fs";
import { errorCode } from "../../files/error-code.ts";

/** Whether a process of this machine still runs. One that has ended, and that nobody has reaped yet, does not. */
export function isProcessAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
  } catch (error) {
    return errorCode(error) === "EPERM";
  }
  return !isZombie(pid);
}

// In a container the first process often reaps nobody, and a signal to a zombie succeeds for ever.
function isZombie(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "latin1");
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(")") + 2));
  } catch {
    return false;
  }
}
