import { setTimeout as sleep } from "node:timers/promises";
import type { ChaosMode } from "../support/chaos-proxy.ts";
import { waitUntil } from "../support/wait-until.ts";
import { type AnyScenario, defineScenario } from "./scenario.ts";
import type { SeededRandom } from "./seeded-random.ts";
import { startProxiedStack } from "./stack.ts";

/** A mode of the network, and how long it holds from its first effect on. */
interface Spell {
  readonly kind: ChaosMode["kind"];
  readonly forMs: readonly [min: number, max: number];
  /** What the mode needs beside its kind. */
  details?(random: SeededRandom): object;
}

const swallow: Spell = { kind: "swallow", forMs: [20, 200] };
const swallowThenCut: Spell = {
  kind: "swallow",
  forMs: [20, 150],
  details: (random) => ({ cutAfterMs: random.between(0, 50) }),
};
const cutRequest: Spell = { kind: "cut-request", forMs: [50, 300] };
const cutReply: Spell = { kind: "cut-reply", forMs: [20, 150] };
const delay: Spell = {
  kind: "delay",
  forMs: [200, 800],
  details: (random) => ({ minMs: 0, maxMs: random.between(10, 200) }),
};
const reset: Spell = { kind: "reset", forMs: [0, 300] };

/** Most of them: each loses about one reply, and what the server then does depends on whose events it was of. */
const lostReplies = [swallowThenCut, cutReply, swallowThenCut, cutReply] as const;

/** Every way in which the network can fail. */
export const badNetwork = networkScenario("a network that swallows, cuts, delays and resets", [
  ...lostReplies,
  delay,
  cutRequest,
  ...lostReplies,
  reset,
  swallow,
]);

/** Requests that are carried out, and replies that are lost. */
export const swallowedReplies = networkScenario("a network that swallows replies", [
  swallowThenCut,
  swallowThenCut,
  swallowThenCut,
  swallow,
]);

/** Connections that end half-way. */
export const cuts = networkScenario("a network that cuts half-way", [cutRequest, cutReply, reset]);

/** Pieces that take long. */
export const delays = networkScenario("a network that delays", [delay]);

/** The network between Sluice and Redis fails in these ways, in turn. */
function networkScenario(name: string, spells: readonly [Spell, ...Spell[]]): AnyScenario {
  return defineScenario({
    name,
    start: (random) => startProxiedStack(random),
    betweenMs: [20, 250],
    faultsMin: spells.length,
    resolvedMin: spells.includes(swallow) ? 50 : 0,
    async fault({ stack: { proxy }, random, turn }) {
      const { kind, forMs, details } = spells[turn % spells.length] ?? spells[0];
      const before = proxy.effects[kind];
      proxy.mode = { kind, ...details?.(random) } as ChaosMode;
      try {
        await waitUntil(() => proxy.effects[kind] > before);
        await sleep(random.between(...forMs));
      } finally {
        proxy.mode = { kind: "pass" };
      }
      return true;
    },
  });
}
