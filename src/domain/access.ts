import { createHash } from "node:crypto";
import { SluiceError } from "./errors.ts";
import type { Project } from "./project.ts";

/** What a key may be allowed to do: to store events, and to list them. */
export const permissions = ["track", "list"] as const;

export type Permission = (typeof permissions)[number];

/** What a key opens. */
export interface Grant {
  readonly project: Project;
  /** The key's name, for the log; never the key. */
  readonly keyName: string;
  readonly permissions: ReadonlySet<Permission>;
  /** Those that the key is bound to; empty: none, so it may use all of the project's. */
  readonly environments: readonly string[];
}

/** Says what an `authorization` header opens. */
export interface Access {
  /** Throws KEY_MISSING or KEY_INVALID. */
  authenticate(authorization: string | undefined): Grant;
}

/** A key's SHA-256 in hex: keys are looked up by it, so that neither a comparison nor a heap dump gives one away. */
export function digestKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** Access by the keys whose digests are given, each with what it opens. They are asked for anew at each call. */
export function createAccess(readGrants: () => ReadonlyMap<string, Grant>): Access {
  return {
    authenticate(authorization) {
      const key = /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
      if (key === undefined) {
        throw new SluiceError("KEY_MISSING", "no key: send the header `authorization: Bearer <key>`");
      }
      const grant = readGrants().get(digestKey(key));
      if (grant === undefined) throw new SluiceError("KEY_INVALID", "this key opens no project");
      return grant;
    },
  };
}

/** Throws PERMISSION_MISSING unless the key has one of the permissions. */
export function requireAnyPermission(grant: Grant, anyOf: readonly Permission[]): void {
  if (anyOf.some((permission) => grant.permissions.has(permission))) return;
  throw new SluiceError("PERMISSION_MISSING", `this key lacks the permission ${anyOf.join(" or ")}`);
}
