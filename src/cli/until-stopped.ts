/**
 * What a promise resolves with; undefined as soon as the user stops. What becomes of it after that is nobody's concern.
 * Leaves nothing behind at the signal, however often it is called.
 */
export async function untilStopped<T>(promise: Promise<T>, stop: AbortSignal): Promise<T | undefined> {
  const { promise: stopped, resolve } = Promise.withResolvers<undefined>();
  const giveUp = () => resolve(undefined);
  stop.addEventListener("abort", giveUp);
  if (stop.aborted) giveUp();
  try {
    return await Promise.race([stopped, promise]);
  } finally {
    stop.removeEventListener("abort", giveUp);
  }
}
