/** What a peer may take up before anyone knows who it is, and while it does nothing. Times in milliseconds. */
export interface ListenerLimits {
  /** Connections at a time; more are closed at once. Default 10,000. */
  readonly connections: number;
  /** For a TLS handshake. Default 10 s. */
  readonly handshakeMs: number;
  /** From a connection's first moment, or the end of its TLS handshake, until it is clear which protocol it speaks. Default 10 s. */
  readonly firstBytesMs: number;
  /** For the headers of a request over HTTP/1.1, and for the settings of an HTTP/2 session. Default 10 s. */
  readonly headersMs: number;
  /** Size of the headers of a request over HTTP/1.1. Default 16 KiB. */
  readonly headerBytes: number;
  /** Between two requests on a connection over HTTP/1.1. Default 65 s. */
  readonly keepAliveMs: number;
  /**
   * For a peer that owes us the rest of its request, or room for our answer, without anything coming or going. Default
   * 75 s: longer than a TrackBatch stream may be silent, which ends that with a better answer.
   */
  readonly stallMs: number;
  /** How long the rest of a request is read, and dropped, after its answer. Default 2 s. */
  readonly lingerMs: number;
  /** For an HTTP/2 session without a call; one with a call has to answer a ping then. Default 5 min. */
  readonly sessionIdleMs: number;
  /** For the answer to that ping. Default 10 s. */
  readonly pingMs: number;
  /** Age at which an HTTP/2 session is asked to go, give or take a tenth, so that balancers can move it. Default 30 min. */
  readonly sessionAgeMs: number;
  /** How long its calls may go on after that. Default 5 min. */
  readonly sessionAgeGraceMs: number;
}

/** The defaults. */
export const listenerLimits: ListenerLimits = {
  connections: 10_000,
  handshakeMs: 10_000,
  firstBytesMs: 10_000,
  headersMs: 10_000,
  headerBytes: 16 * 1024,
  keepAliveMs: 65_000,
  stallMs: 75_000,
  lingerMs: 2000,
  sessionIdleMs: 5 * 60_000,
  pingMs: 10_000,
  sessionAgeMs: 30 * 60_000,
  sessionAgeGraceMs: 5 * 60_000,
};

/** What HTTP/2 allows a peer: streams at a time, bytes on their way in a stream and a session, megabytes of state. */
export const sessionLimits = {
  streams: 256,
  streamWindowBytes: 1 << 20,
  sessionWindowBytes: 4 << 20,
  memoryMegabytes: 64,
} as const;
