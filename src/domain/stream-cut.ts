import { SluiceError } from "./errors.ts";
import type { BatchSummary } from "./outcome.ts";

/** The error that cut a TrackBatch stream, with what had become of the stream by then. */
export class StreamCut extends SluiceError {
  override readonly name = "StreamCut";
  readonly summary: BatchSummary;

  constructor(error: SluiceError, summary: BatchSummary) {
    super(error.reason, error.message, {
      violations: error.violations,
      ...(error.retryDelayMs === undefined ? {} : { retryDelayMs: error.retryDelayMs }),
      cause: error.cause,
    });
    this.summary = summary;
  }
}
