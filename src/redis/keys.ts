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
  /** A hash: `epoch` names the data set; the generation of ids that is added to, and those before it. */
  readonly meta: string;
  /** Prefix of the hashes that remember ids: `:<generation>:<first 2 bytes of the id's hash>` follows. */
  readonly ids: string;
  /** A hash of what the project's rate limits have left. */
  readonly quotas: string;
  /** Prefix of the replies to chunks, kept for a minute: `:<sender>:<slot>` follows. */
  readonly replies: string;
  /** The stream of rejected events; what an entry holds is in rejected-entry.ts. */
  readonly rejected: string;
  /** How many rejected events were only counted. */
  readonly rejectedCount: string;
}

/** The keys of the project of this name. */
export function projectKeys(project: string): ProjectKeys {
  const prefix = `${layout}:{${project}}`;
  return {
    events: `${prefix}:events`,
    meta: `${prefix}:meta`,
    ids: `${prefix}:ids`,
    quotas: `${prefix}:quotas`,
    replies: `${prefix}:replies`,
    rejected: `${prefix}:rejected`,
    rejectedCount: `${prefix}:rejected-count`,
  };
}
