import { randomBytes } from "node:crypto";
import type { Redis } from "ioredis";
import { assignId } from "../../src/domain/event.ts";
import type { EventToAppend } from "../../src/domain/ports.ts";
import type { Project, ProjectSettings } from "../../src/domain/project.ts";
import type { AppendCall, ChunkReply } from "../../src/redis/append-events.ts";
import { createAppendEvents, encodeAppendCall } from "../../src/redis/append-events.ts";
import { projectKeys } from "../../src/redis/keys.ts";
import { encodeEvent, eventToAppend, newProject } from "./events.ts";

/** Calls the append script for one project, as one sender with one chunk at a time. */
export interface ChunkAppender {
  readonly project: Project;
  readonly keys: ReturnType<typeof projectKeys>;
  /** Events, or the ids of some that differ in nothing else. */
  append(events: readonly (EventToAppend | string)[], options?: ChunkOptions): Promise<ChunkReply>;
  /** The kinds of their outcomes. */
  appendKinds(events: readonly (EventToAppend | string)[], options?: ChunkOptions): Promise<string[]>;
  /** A call that is not sent yet. */
  encode(events: readonly (EventToAppend | string)[], options?: ChunkOptions): AppendCall;
  send(call: AppendCall, isAgain?: boolean): Promise<ChunkReply>;
}

export interface ChunkOptions {
  readonly isAtomic?: boolean;
  /** Other settings than the project's. */
  readonly settings?: Partial<ProjectSettings>;
}

export function createChunkAppender(redis: Redis, settings: Partial<ProjectSettings> = {}): ChunkAppender {
  const send = createAppendEvents(redis);
  const project = newProject(settings);
  const sender = randomBytes(6).toString("hex");
  let number = 0;
  const appender: ChunkAppender = {
    project,
    keys: projectKeys(project.name),
    encode(events, { isAtomic = false, settings: others } = {}) {
      const chunkEvents = events.map((event) => ({
        event: typeof event === "string" ? eventToAppend(event) : event,
        entrance: "grpc" as const,
      }));
      const changed = { ...project, settings: { ...project.settings, ...others } };
      return encodeAppendCall(
        { project: changed, events: chunkEvents, isAtomic },
        { sender, slot: 0, number: ++number },
      );
    },
    send: (call, isAgain = false) => send(call, isAgain),
    append: (events, options) => appender.send(appender.encode(events, options)),
    async appendKinds(events, options) {
      return (await appender.append(events, options)).outcomes.map(({ kind }) => kind);
    },
  };
  return appender;
}

/** An event that came without an id. */
export function eventWithoutId(id: string = assignId()): EventToAppend {
  return { id, isIdAssigned: true, bytes: encodeEvent({ name: "click" }), isTimeAbsent: true, isTest: false };
}
