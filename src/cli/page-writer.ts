/** Takes text for standard output, no faster than its reader does. */
export interface PageWriter {
  /** Resolves when more may be written. Rejects with OutputClosed when nobody reads any more. */
  write(text: string): Promise<void>;
  /** Columns of the terminal; undefined when it is none. */
  readonly columns: number | undefined;
}

/** Whoever read the output has gone, as `head` does when it has seen enough. */
export class OutputClosed extends Error {
  override readonly name = "OutputClosed";
}

/** Writes to a stream such as `process.stdout`. */
export function createPageWriter(stream: NodeJS.WritableStream & { readonly columns?: number }): PageWriter {
  let failure: Error | undefined;
  stream.on("error", (error: NodeJS.ErrnoException) => {
    failure ??= error.code === "EPIPE" ? new OutputClosed("the output was closed") : error;
  });
  return {
    // A terminal that does not know says 0.
    columns: stream.columns || undefined,
    write(text) {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const settle = () => (failure === undefined ? resolve() : reject(failure));
      // An error event may come after the callback that tells of the same error.
      stream.write(text, () => setImmediate(settle));
      return promise;
    },
  };
}
