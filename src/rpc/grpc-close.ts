import type { ServerHttp2Stream } from "node:http2";
import { constants } from "node:http2";

/** Nothing tells when what was written has gone out. */
const lookAgainMs = 500;

/**
 * Closes a stream whose call has ended, once its answer has gone out: nobody reads the rest of the request, but its sender
 * could go on for ever. Node keeps a stream, and tells nobody that it is closed, until all that came has been read.
 */
export function closeSoon(stream: ServerHttp2Stream): void {
  const close = () => {
    if (stream.destroyed) return;
    const { localClose, remoteClose } = stream.state;
    if (stream.closed) stream.destroy();
    else if (localClose === 1) {
      if (remoteClose !== 1) stream.close(constants.NGHTTP2_NO_ERROR);
      setImmediate(close);
    }
    // A reset would take along what has not been sent.
    else setTimeout(close, lookAgainMs).unref();
  };
  setImmediate(() => setImmediate(close));
}
