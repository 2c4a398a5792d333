import type { Comparison, Figures } from "./compare.ts";
import { atMost, type MeasuredRow } from "./row.ts";

/** The line of a baseline that has more of something than ours has, and may cost hardly more for it. */
export function toScaleRow({ against, ours, baseline, serverUsRatio }: Comparison, fewText: string): MeasuredRow {
  const say = ({ serverUs, perSecond }: Figures) => `${serverUs.toFixed(2)} µs, ${Math.round(perSecond)} events/s`;
  return {
    work: against,
    against: fewText,
    ours: say(baseline),
    baseline: say(ours),
    figure: 1 / serverUsRatio,
    aim: atMost(1.2),
  };
}
