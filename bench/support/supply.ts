/** Things that are made before the time is taken, so that making them does not count. */
export interface Supply<Thing> {
  /** Makes about as many as were taken since the last time. What is left over is never given out. */
  refill(): void;
  /** The next one, in the order in which they were made; made now when none is left. */
  take(): Thing;
}

const reserve = 1.2;

export function createSupply<Thing>(make: () => Thing): Supply<Thing> {
  let ready: Thing[] = [];
  let taken = 0;
  return {
    refill() {
      ready = Array.from({ length: Math.ceil(taken * reserve) }, make).reverse();
      taken = 0;
    },
    take() {
      taken++;
      return ready.pop() ?? make();
    },
  };
}
