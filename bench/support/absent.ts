import type { Absent, Contender } from "./compare.ts";

/** A baseline with servers of its own. */
export type Peer = Contender & { stop(): Promise<void> };

/** Tells the peers that run from those that this machine does not have. */
export function sortOut(peers: readonly (Peer | Absent)[]): { readonly present: Peer[]; readonly absent: Absent[] } {
  return {
    present: peers.flatMap((peer) => ("isMissing" in peer ? [] : [peer])),
    absent: peers.flatMap((peer) => ("isMissing" in peer ? [peer] : [])),
  };
}
