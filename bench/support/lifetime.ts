import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

type End = () => Promise<void>;

const owned = new Set<End>();
let isEnding = false;

/** Keeps what has to end with the bench. What it gives ends it earlier; called again, that waits for the same end. */
export function own(end: End): End {
  let ended: Promise<void> | undefined;
  const endOnce = () => {
    owned.delete(endOnce);
    ended ??= end();
    return ended;
  };
  owned.add(endOnce);
  return endOnce;
}

/** Throws when the bench is ending: what is started now would stay behind. */
export function checkNotEnding(): void {
  if (isEnding) throw new Error("the bench is ending");
}

/** A new folder in the system's folder for such things. */
export function makeTempFolder(name: string): { readonly path: string; remove: End } {
  checkNotEnding();
  const path = mkdtempSync(join(tmpdir(), `sluice-bench-${name}-`));
  return { path, remove: own(async () => rmSync(path, { recursive: true, force: true })) };
}

/**
 * Runs a bench, and ends this process with it: with 0, or with 1 when it rejects, takes longer than this, or is told to
 * end by a signal. Whatever it owns is gone by then.
 */
export async function runToEnd(withinMs: number, bench: () => Promise<void>): Promise<never> {
  const { promise: cut, reject } = Promise.withResolvers<never>();
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) {
    process.on(signal, () => reject(new Error(`ended by ${signal}`)));
  }
  // Kept: while all ends, connections break that nobody listens to any more.
  process.on("uncaughtException", reject);
  setTimeout(() => reject(new Error(`it did not end within ${withinMs / 60_000} minutes`)), withinMs).unref();
  let code = 0;
  try {
    await Promise.race([bench(), cut]);
  } catch (error) {
    console.error(error);
    code = 1;
  }
  await endAll();
  process.exit(code);
}

/** The latest first: a folder is older than the process that works in it. */
async function endAll(): Promise<void> {
  isEnding = true;
  for (let end = [...owned].at(-1); end !== undefined; end = [...owned].at(-1)) {
    await end().catch((error) => console.error(error));
  }
}
