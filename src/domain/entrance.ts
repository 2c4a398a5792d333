/** Where an event came in: `grpc`, `connect` or `grpc-web`, or the name of a dialect. */
export type Entrance = string;

/** Whether an entrance can be called so: it has 1 to 16 characters of a-z, 0-9 and `-`. */
export function isEntranceName(text: string): boolean {
  return /^[a-z0-9-]{1,16}$/.test(text);
}
