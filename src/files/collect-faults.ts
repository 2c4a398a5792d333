import { StartError } from "../domain/start-error.ts";

/** Calls all, and returns what they return. Throws one StartError with the faults of all, where any throws one. */
export function collectFaults<T extends readonly unknown[]>(...reads: { [I in keyof T]: () => T[I] }): T {
  const faults: string[] = [];
  const results = reads.map((read) => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof StartError)) throw error;
      faults.push(error.message);
      return undefined;
    }
  });
  if (faults.length > 0) throw new StartError(faults.join("\n"));
  return results as unknown as T;
}
