import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** Frees all that nothing refers to any more, also what was looked at through a WeakRef before. */
export async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  const collect: unknown = runInNewContext("gc");
  if (typeof collect !== "function") throw new Error("garbage cannot be collected on demand");
  // What a WeakRef gave stays until its job has ended.
  await new Promise((resolve) => setImmediate(resolve));
  collect();
}
