/**
 * Every key that Sluice uses in Redis. All keys of a project share one hash tag, so that a script may touch them together
 * and a cluster keeps them on one node. The number after `sluice` is the version of the layout.
 */
const layout = "sluice:1";

/** The secret that page tokens are MACed with. A string of 32 random bytes. */
export const pageTokenSecretKey = `${layout}:page-token-secret`;

/** The keys of one project. */
export interface ProjectKeys {
  /** The stream of events; what an entry holds is in entry.ts. */
  readonly events: string;
  /** A hash: `epoch` names the data set, `generation` is the one that ids are added to, since `generation_ms`. */
  readonly meta: string;
  /** Prefix of the hashes that remember ids: `:<generation>:<first 2 bytes of the id's hash>` follows. */
  readonly ids: string;
}

/** The keys of the project of this name. */
export function projectKeys(project: string): ProjectKeys {
  const prefix = `${layout}:{${project}}`;
  return { events: `${prefix}:events`, meta: `${prefix}:meta`, ids: `${prefix}:ids` };
}
