import type { DescMethod } from "@bufbuild/protobuf";
import type { Access, Grant } from "../domain/access.ts";
import { SluiceError } from "../domain/errors.ts";
import type { Caller } from "../domain/project.ts";
import { requirePermission } from "./method-permissions.ts";

/** The part of a caller that its key decides. */
export type KeyedCaller = Pick<Caller, "project" | "environments" | "recheckKey">;

export interface CallKeyOptions {
  readonly access: Access;
  readonly authorization: string | undefined;
  readonly method: Pick<DescMethod, "localName">;
  /** Told what the key opens, also when that is not enough. */
  onGrant(grant: Grant): void;
}

/**
 * The caller of a method, by its key. Throws KEY_MISSING, KEY_INVALID or PERMISSION_MISSING; so does a later look at the
 * key, once the configuration has changed.
 */
export function callerByKey({ access, authorization, method, onGrant }: CallKeyOptions): KeyedCaller {
  function readGrant(): Grant {
    const grant = access.authenticate(authorization);
    onGrant(grant);
    requirePermission(grant, method);
    return grant;
  }

  const { project, environments } = readGrant();
  const caller = {
    project,
    environments,
    recheckKey() {
      const grant = readGrant();
      if (grant.project !== project) throw new SluiceError("KEY_INVALID", "this key opens another project by now");
      caller.environments = grant.environments;
    },
  };
  return caller;
}
