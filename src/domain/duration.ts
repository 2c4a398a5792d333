const units = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 } as const;

const durationMaxMs = 3650 * units.d;

/** What a duration must be, for a person to read. */
export const durationExpectation = "a whole number with its unit, such as 500ms, 30s, 1m, 24h, 7d or 4w";

/**
 * The milliseconds in a text such as `30s`; undefined for anything else, for 0, and for more than 3650d.
 *
 * @example parseDuration("24h") === 86_400_000
 */
export function parseDuration(text: string): number | undefined {
  const [, digits = "", unit = ""] = /^(\d{1,15})(ms|[smhdw])$/.exec(text) ?? [];
  if (!isUnit(unit)) return undefined;
  const ms = Number(digits) * units[unit];
  return ms > 0 && ms <= durationMaxMs ? ms : undefined;
}

function isUnit(text: string): text is keyof typeof units {
  return Object.hasOwn(units, text);
}
