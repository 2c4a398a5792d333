/** The oldest version of Redis that Sluice works with. Every Valkey is newer. */
export const redisVersionMin = "7.0";

/** Whether a version, such as `7.0.15`, is at least the oldest supported one. */
export function isSupportedVersion(version: string): boolean {
  return Number.parseInt(version, 10) >= 7;
}
