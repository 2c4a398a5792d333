/** A source of which the next item can be waited for by several, before one of them takes it: none is lost. */
export interface Peekable<T> {
  /** The next item; undefined at the end. Rejects, each time anew, when the source has failed. */
  peek(): Promise<T | undefined>;
  /** Goes on to the item after the one that was peeked at. */
  take(): void;
}

export function createPeekable<T>(source: AsyncGenerator<T>): Peekable<T> {
  let next: Promise<T | undefined> | undefined;
  return {
    peek() {
      next ??= source.next().then((result) => (result.done === true ? undefined : result.value));
      return next;
    },
    take() {
      next = undefined;
    },
  };
}
