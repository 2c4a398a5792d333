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
  /**
   * A hash: `epoch` names the data set; the generation of ids that is added to, its `id_border` and `id_count`, and
   * those before it; `indexes`, those that are kept, as index-plan.ts writes them; `segment`, the base of the segment
   * that is added to, empty when the next event begins another, and `segment_count`, its events; `segments_version`,
   * another one with each change of `segments`; `trimmed`, the stream id up to which there are no events any more.
   */
  readonly meta: string;
  /** Prefix of the hashes that remember ids: `:<generation>:<first digits of the id's hash, in hex>` follows. */
  readonly ids: string;
  /**
   * A hash of the segments that the events are divided into for the indexes. Field: the segment's base, the stream id of
   * its first event. Value: the ids of the indexes that hold all of its events, with spaces between.
   */
  readonly segments: string;
  /** Prefix of the buckets of the indexes: `:<base of the segment>:<id of the index>:<bucket, 2 characters>` follows. */
  readonly index: string;
  /** A set of the indexes of segments that are no longer read, and are to be deleted: `<base>:<id of the index>`. */
  readonly droppedIndexes: string;
  /** Who does the project's work in the background. A string that expires. */
  readonly lease: string;
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
    segments: `${prefix}:segments`,
    index: `${prefix}:index`,
    droppedIndexes: `${prefix}:dropped-indexes`,
    lease: `${prefix}:lease`,
    quotas: `${prefix}:quotas`,
    replies: `${prefix}:replies`,
    rejected: `${prefix}:rejected`,
    rejectedCount: `${prefix}:rejected-count`,
  };
}
