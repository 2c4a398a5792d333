/** A call that may last. */
export interface MayLast {
  /** Called once, when it has lasted for a moment. */
  onLasting(): void;
}

/**
 * Tells calls when they have lasted for a moment. Their timers are begun then and not with each call: most end within
 * milliseconds, and to begin and end two timers costs a call 2 µs.
 */
export class LastingCalls {
  /** By when a call has been told, in ms, as far as the event loop is not late. */
  readonly withinMs: number;
  #young = new Set<MayLast>();
  #old = new Set<MayLast>();
  #timer: NodeJS.Timeout | undefined;

  constructor(withinMs: number) {
    this.withinMs = withinMs;
  }

  add(call: MayLast): void {
    this.#young.add(call);
    this.#timer ??= this.#begin();
  }

  /** It has ended. No effect on one that was told. */
  delete(call: MayLast): void {
    if (!this.#young.delete(call)) this.#old.delete(call);
  }

  #begin(): NodeJS.Timeout {
    return setTimeout(() => this.#tell(), this.withinMs / 2).unref();
  }

  #tell(): void {
    const told = this.#old;
    this.#old = this.#young;
    this.#young = new Set();
    this.#timer = this.#old.size > 0 ? this.#begin() : undefined;
    for (const call of told) call.onLasting();
  }
}
