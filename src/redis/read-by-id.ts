import type { Redis } from "ioredis";
import type { StoredEvent } from "../domain/ports.ts";
import type { Project } from "../domain/project.ts";
import { toStoredEvent } from "./entry.ts";
import { hashId } from "./id-hash.ts";
import { projectKeys } from "./keys.ts";
import { loadScript } from "./scripts.ts";

/** The event whose id has the same hash as this one, if that is remembered and kept. Rejects as ioredis does. */
export type ReadById = (project: Project, id: string) => Promise<StoredEvent | undefined>;

export function createReadById(redis: Redis): ReadById {
  const script = loadScript(redis, "read-by-id", 3, ["id-buckets"]);
  return async ({ name }, id) => {
    const keys = projectKeys(name);
    const reply = await script([keys.events, keys.meta, keys.ids], [hashId(id)]);
    if (reply === null) return undefined;
    const [epoch, streamId, field, value] = Array.isArray(reply) ? reply : [];
    if (![epoch, streamId, field, value].every(Buffer.isBuffer))
      throw new Error("read-by-id.lua gave an unknown reply");
    return toStoredEvent(epoch.toString("latin1"), streamId, [field, value]);
  };
}
