import type { Http2Session } from "node:http2";

export interface GrpcSessionLimits {
  /** How long a connection may have no call. */
  readonly idleTimeoutMs: number;
  /** How often a peer is asked whether it is still there, and how long it may take to answer. */
  readonly keepaliveTimeMs: number;
  readonly keepaliveTimeoutMs: number;
  /** How old a connection may become, give or take a tenth, so that balancers can move it. */
  readonly connectionAgeMs: number;
  /** How long its calls may go on after that. */
  readonly connectionAgeGraceMs: number;
}

/** The HTTP/2 connections of a server, each ended when it is idle, dead or old. */
export interface GrpcSessions {
  add(session: Http2Session): void;
  /** Tells of a call's begin; what it returns is to be called at the call's end. */
  enter(session: Http2Session | undefined): () => void;
  /** Takes no more calls on any connection, and ends each when its calls have ended. */
  closeAll(): void;
}

export function createGrpcSessions(limits: GrpcSessionLimits): GrpcSessions {
  const leaves = new Map<Http2Session, { callCount: number; readonly idle: NodeJS.Timeout; leave(): void }>();
  let isClosing = false;

  function add(session: Http2Session): void {
    const idle = setTimeout(() => close(session), limits.idleTimeoutMs).unref();
    const entry = {
      callCount: 0,
      idle,
      leave() {
        if (--entry.callCount === 0) idle.refresh();
      },
    };
    leaves.set(session, entry);
    const stopAsking = keepAlive(session, limits);
    const stopAging = endWhenOld(session, limits);
    session.once("close", () => {
      clearTimeout(idle);
      stopAsking();
      stopAging();
      leaves.delete(session);
    });
    if (isClosing) close(session);
  }

  function close(session: Http2Session): void {
    // The timer of a connection that has calls starts anew when the last of them ends.
    if (isClosing || leaves.get(session)?.callCount === 0) session.close();
  }

  return {
    add,
    enter(session) {
      const entry = session && leaves.get(session);
      if (entry === undefined) return () => {};
      entry.callCount++;
      return entry.leave;
    },
    closeAll() {
      isClosing = true;
      for (const session of leaves.keys()) close(session);
    },
  };
}

/** Returns what ends it. */
function keepAlive(session: Http2Session, { keepaliveTimeMs, keepaliveTimeoutMs }: GrpcSessionLimits): () => void {
  let timer = setTimeout(ask, keepaliveTimeMs).unref();

  function ask(): void {
    if (session.destroyed) return;
    timer = setTimeout(() => session.destroy(), keepaliveTimeoutMs).unref();
    const isAsked = session.ping((error) => {
      clearTimeout(timer);
      if (error) session.destroy();
      else if (!session.destroyed) timer = setTimeout(ask, keepaliveTimeMs).unref();
    });
    if (!isAsked) session.destroy();
  }

  return () => clearTimeout(timer);
}

/** Returns what ends it. */
function endWhenOld(session: Http2Session, limits: GrpcSessionLimits): () => void {
  const ageMs = limits.connectionAgeMs * (0.9 + Math.random() * 0.2);
  let timer = setTimeout(() => {
    session.close();
    timer = setTimeout(() => session.destroy(), limits.connectionAgeGraceMs).unref();
  }, ageMs).unref();
  return () => clearTimeout(timer);
}
