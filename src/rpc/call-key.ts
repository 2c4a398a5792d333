import type { DescMethod } from "@bufbuild/protobuf";
import type { Access, Grant } from "../domain/access.ts";
import { SluiceError } from "../domain/errors.ts";
import type { Caller, Project } from "../domain/project.ts";
import { requirePermission } from "./method-permissions.ts";

export interface CallKeyOptions {
  readonly access: Access;
  readonly authorization: string | undefined;
  readonly method: Pick<DescMethod, "localName">;
  /** Told what the key opens, also when that is not enough. */
  onGrant(grant: Grant): void;
}

/** The part of a method's caller that its key decides. A class, as there is one for each call. */
export class KeyedCaller implements Pick<Caller, "project" | "environments" | "recheckKey"> {
  readonly project: Project;
  environments: readonly string[];
  readonly #options: CallKeyOptions;

  /** Throws KEY_MISSING, KEY_INVALID or PERMISSION_MISSING; so does `recheckKey`, once the configuration has changed. */
  constructor(options: CallKeyOptions) {
    const { project, environments } = readGrant(options);
    this.project = project;
    this.environments = environments;
    this.#options = options;
  }

  recheckKey(): void {
    const { project, environments } = readGrant(this.#options);
    if (project !== this.project) throw new SluiceError("KEY_INVALID", "this key opens another project by now");
    this.environments = environments;
  }
}

function readGrant({ access, authorization, method, onGrant }: CallKeyOptions): Grant {
  const grant = access.authenticate(authorization);
  onGrant(grant);
  requirePermission(grant, method);
  return grant;
}
