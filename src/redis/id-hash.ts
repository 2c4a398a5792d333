import { hash } from "node:crypto";

/** Bytes of the hash that an id is remembered by: the first two choose the hash of Redis, the others are its field. */
export const idHashBytes = 12;

/** The hash that an id is remembered by. */
export function hashId(id: string): Buffer {
  return hash("sha256", id, "buffer").subarray(0, idHashBytes);
}
