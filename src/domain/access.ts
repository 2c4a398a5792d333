import { hash } from "node:crypto";
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

/** Says what a key opens. */
export interface Access {
  /** What the key in an `authorization` header opens. Throws KEY_MISSING or KEY_INVALID. */
  authenticate(authorization: string | undefined): Grant;
  /** What a key opens. Throws KEY_INVALID. */
  open(key: string): Grant;
}

/** A key's SHA-256 in hex: keys are looked up by it, so that neither a comparison nor a heap dump gives one away. */
export function digestKey(key: string): string {
  return hash("sha256", key);
}

/** Access by the keys whose digests are given, each with what it opens. They are asked for anew at each call. */
export function createAccess(readGrants: () => ReadonlyMap<string, Grant>): Access {
  function open(key: string): Grant {
    const grant = readGrants().get(digestKey(key));
    if (grant === undefined) throw new SluiceError("KEY_INVALID", "this key opens no project");
    return grant;
  }

  return {
    open,
    authenticate(authorization) {
      const key = bearerKey(authorization);
      if (key === undefined) {
        throw new SluiceError("KEY_MISSING", "no key: send the header `authorization: Bearer <key>`");
      }
      return open(key);
    },
  };
}

/** The key in an `authorization` header of the scheme `Bearer`, in any case of its letters. */
export function bearerKey(authorization: string | undefined): string | undefined {
  return /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
}

/** Throws PERMISSION_MISSING unless the key has one of the permissions. */
export function requireAnyPermission(grant: Grant, anyOf: readonly Permission[]): void {
  if (anyOf.some((permission) => grant.permissions.has(permission))) return;
  throw new SluiceError("PERMISSION_MISSING", `this key lacks the permission ${anyOf.join(" or ")}`);
}
