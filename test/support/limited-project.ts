import { digestKey } from "../../src/domain/access.ts";

/** A configuration of one project with rate limits, such as `{ events: 10, per: 1h }`, which a key opens. */
export function limitedProject(key: string, rateLimits: string): string {
  const keyLine = `{ name: writer, secret: "sha256:${digestKey(key)}", permissions: [track, list] }`;
  return `projects:\n  limited:\n    rateLimits: [${rateLimits}]\n    keys: [${keyLine}]\n`;
}
