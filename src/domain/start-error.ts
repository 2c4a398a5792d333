/** A reason not to start, in one line that its operator can act on. It is printed, and the process exits with 1. */
export class StartError extends Error {
  override readonly name = "StartError";
}
