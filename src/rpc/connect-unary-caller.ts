import type { Entrance } from "../domain/entrance.ts";
import type { Caller, Project } from "../domain/project.ts";
import type { KeyedCaller } from "./call-key.ts";
import type { UnaryEnd } from "./connect-unary-end.ts";

/**
 * Who makes a unary call over Connect, by its key, until the call ends.
 *
 * A class, not a literal with getters: V8 gives each of those a hidden class of its own, of 900 bytes, which is old from
 * the start and keeps what the getters close over, the whole call, until the next full collection.
 */
export class UnaryCaller implements Caller {
  readonly project: Project;
  readonly entrance: Entrance = "connect";
  readonly #keyed: KeyedCaller;
  readonly #end: UnaryEnd;

  constructor(keyed: KeyedCaller, end: UnaryEnd) {
    this.project = keyed.project;
    this.#keyed = keyed;
    this.#end = end;
  }

  get environments(): readonly string[] {
    return this.#keyed.environments;
  }

  get signal(): AbortSignal {
    return this.#end.signal;
  }

  remainingMs(): number {
    return this.#end.remainingMs();
  }

  recheckKey(): void {
    this.#keyed.recheckKey();
  }
}
