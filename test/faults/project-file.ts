import { digestKey } from "../../src/domain/access.ts";

/** The property by which the events of a project file are indexed. */
export const indexedProperty = "path";

/** Of one project, which a key opens; with rate limits, such as `{ events: 10, per: 1h }`, if they are given. */
export function projectFile(key: string, rateLimits?: string): string {
  const lines = [
    "projects:",
    "  shop:",
    `    indexedProperties: [${indexedProperty}]`,
    ...(rateLimits === undefined ? [] : [`    rateLimits: [${rateLimits}]`]),
    `    keys: [{ name: writer, secret: "sha256:${digestKey(key)}", permissions: [track, list] }]`,
  ];
  return `${lines.join("\n")}\n`;
}
