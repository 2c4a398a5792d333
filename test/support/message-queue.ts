/** Messages of a stream, asked for one at a time. */
export interface MessageQueue<T> extends AsyncIterableIterator<T> {
  next(): Promise<IteratorResult<T, undefined>>;
  push(message: T): void;
  end(): void;
  /** Makes this and every later `next` reject. The first failure counts. */
  fail(error: Error): void;
}

/** Turns callbacks into an async iterator that calls `askForNext` only when a message is wanted. */
export function createMessageQueue<T>(askForNext: () => void): MessageQueue<T> {
  let pending: { resolve(result: IteratorResult<T, undefined>): void; reject(error: Error): void } | undefined;
  let failure: Error | undefined;
  let isEnded = false;

  function take() {
    const taken = pending;
    pending = undefined;
    return taken;
  }

  return {
    [Symbol.asyncIterator]() {
      return this;
    },
    next() {
      if (failure !== undefined) return Promise.reject(failure);
      if (isEnded) return Promise.resolve({ done: true, value: undefined });
      return new Promise((resolve, reject) => {
        pending = { resolve, reject };
        askForNext();
      });
    },
    push(message) {
      take()?.resolve({ done: false, value: message });
    },
    end() {
      isEnded = true;
      take()?.resolve({ done: true, value: undefined });
    },
    fail(error) {
      failure ??= error;
      take()?.reject(failure);
    },
  };
}
