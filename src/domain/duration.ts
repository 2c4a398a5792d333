const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

/** The longest duration, as text and in milliseconds. */
export const durationMax = "3650d";
export const durationMaxMs = 3650 * units.d;

/** What a duration must be, for a person to read. */
export const durationExpectation = "a whole number with its unit, such as 500ms, 30s, 1m, 24h, 7d or 4w";

/**
 * The milliseconds in a text such as `30s`; undefined for anything else, for 0, and for more than 3650d.
 *
 * @example parseDuration("24h") === 86_400_000
 */
export function parseDuration(text: string): number | undefined {
  const ms = /^\d+[a-z]+$/.test(text) ? sumDurations(text) : undefined;
  return ms !== undefined && ms > 0 && ms <= durationMaxMs ? ms : undefined;
}

/**
 * The milliseconds in a text of one duration or several, each as `parseDuration` reads it, but however short or long;
 * undefined for anything else.
 *
 * @example sumDurations("1h30m") === 5_400_000
 */
export function sumDurations(text: string): number | undefined {
  if (!/^(\d+(ms|[smhdw]))+$/.test(text)) return undefined;
  return Array.from(text.matchAll(/(\d+)(\D+)/g)).reduce((sum, [, count, unit = ""]) => {
    return sum + Number(count) * (isUnit(unit) ? units[unit] : Number.NaN);
  }, 0);
}

function isUnit(text: string): text is keyof typeof units {
  return Object.hasOwn(units, text);
}
