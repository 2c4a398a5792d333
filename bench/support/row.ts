import type { Absent, Comparison, Figures } from "./compare.ts";

/** What a figure has to be. */
export interface Aim {
  readonly bound: "≥" | "≤";
  readonly value: number;
  /** Empty for a ratio. */
  readonly unit: "" | "B" | "ms";
}

/** A line of the results. */
export interface MeasuredRow {
  readonly work: string;
  readonly against: string;
  /** In words, with units. */
  readonly ours: string;
  readonly baseline: string;
  /** What is aimed at; mostly ours by the baseline. */
  readonly figure: number;
  readonly aim: Aim;
  /** Absent where nothing else was measured. */
  readonly figures?: { readonly ours: Figures; readonly baseline: Figures };
}

/** A line that could not be measured. */
export interface SkippedRow {
  readonly work: string;
  readonly against: string;
  readonly skipped: string;
}

export type Row = MeasuredRow | SkippedRow;

/** A ratio that has to be this at least. */
export function atLeast(value: number): Aim {
  return { bound: "≥", value, unit: "" };
}

/** A figure that may be this at most. */
export function atMost(value: number, unit: Aim["unit"] = ""): Aim {
  return { bound: "≤", value, unit };
}

/** The line of a comparison's rates. */
export function toRateRow({ work, unit, against, ours, baseline, ratio }: Comparison, aim: Aim): MeasuredRow {
  const say = ({ perSecond }: Figures) => `${Math.round(perSecond)} ${unit}/s`;
  return { work, against, ours: say(ours), baseline: say(baseline), figure: ratio, aim, figures: { ours, baseline } };
}

/** The line of what the servers of a comparison use of the processor. */
export function toCpuRow({ work, against, ours, baseline, serverUsRatio }: Comparison, aim: Aim): MeasuredRow {
  const say = ({ serverUs }: Figures) => `${serverUs.toFixed(1)} µs`;
  return {
    work: `${work}: server CPU`,
    against,
    ours: say(ours),
    baseline: say(baseline),
    figure: serverUsRatio,
    aim,
    figures: { ours, baseline },
  };
}

/** The line of a baseline that is not there. */
export function toSkippedRow(work: string, { name, isMissing }: Absent): SkippedRow {
  return { work, against: name, skipped: isMissing };
}

/** How much of its aim a line has reached: 1 and more is enough. NaN when its figure is none. */
export function reachOf({ figure, aim }: MeasuredRow): number {
  return aim.bound === "≥" ? figure / aim.value : aim.value / figure;
}

/** A figure in the unit of its aim. */
export function toFigureText(value: number, { unit }: Aim): string {
  return unit === "" ? value.toFixed(2) : `${value.toFixed(1)} ${unit}`;
}

/** An aim, such as `≥ 0.8`. */
export function toAimText({ bound, value, unit }: Aim): string {
  return `${bound} ${value}${unit && ` ${unit}`}`;
}
