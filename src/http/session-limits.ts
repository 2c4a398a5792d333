import type { ServerHttp2Session } from "node:http2";
import type { ListenerLimits } from "./listener-limits.ts";
import { sessionLimits } from "./listener-limits.ts";

/** Ends an HTTP/2 session that never begins, has nothing to do, does not answer, or is old. Node has no limit for it. */
export function limitSession(session: ServerHttp2Session, limits: ListenerLimits): void {
  let streams = 0;
  let idle: NodeJS.Timeout | undefined;
  let patience: NodeJS.Timeout | undefined;

  function destroySoon(): void {
    clearTimeout(patience);
    patience = setTimeout(() => session.destroy(), limits.pingMs);
  }

  // Node's own time-out of a session starts anew with that of any of its streams.
  function watchIdle(): void {
    clearTimeout(idle);
    if (session.destroyed) return;
    idle = setTimeout(() => {
      destroySoon();
      if (streams === 0) session.close();
      else {
        // A call may be silent for long, such as Watch, but its peer has to be there.
        session.ping(() => clearTimeout(patience));
        watchIdle();
      }
    }, limits.sessionIdleMs);
  }

  session.on("error", () => session.destroy());
  session.setLocalWindowSize(sessionLimits.sessionWindowBytes);
  session.on("stream", (stream) => {
    streams++;
    watchIdle();
    stream.once("close", () => {
      streams--;
      watchIdle();
    });
  });

  const begin = setTimeout(() => session.destroy(), limits.headersMs);
  session.once("remoteSettings", () => clearTimeout(begin));
  watchIdle();
  const jitter = 0.9 + Math.random() * 0.2;
  let age = setTimeout(() => {
    age = setTimeout(() => session.destroy(), limits.sessionAgeGraceMs);
    session.close();
  }, limits.sessionAgeMs * jitter);

  session.once("close", () => {
    for (const timer of [begin, idle, patience, age]) clearTimeout(timer);
  });
}
