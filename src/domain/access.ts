import { createHash } from "node:crypto";
import { SluiceError } from "./errors.ts";
import type { Project } from "./project.ts";

/** Says which project an `authorization` header opens. */
export interface Access {
  /** Throws KEY_MISSING or KEY_INVALID. */
  authenticate(authorization: string | undefined): Project;
}

/** A key's SHA-256 in hex: keys are looked up by it, so that neither a comparison nor a heap dump gives one away. */
export function digestKey(key: string): string {
  return createHash("sha256").update(key).digest("hex");
}

/** Access by the keys whose digests are given, each with the project that it opens. */
export function createAccess(projectsByDigest: ReadonlyMap<string, Project>): Access {
  return {
    authenticate(authorization) {
      const key = /^bearer +(\S+) *$/i.exec(authorization ?? "")?.[1];
      if (key === undefined) {
        throw new SluiceError("KEY_MISSING", "no key: send the header `authorization: Bearer <key>`");
      }
      const project = projectsByDigest.get(digestKey(key));
      if (project === undefined) throw new SluiceError("KEY_INVALID", "this key opens no project");
      return project;
    },
  };
}
