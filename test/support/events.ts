import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { EventToAppend } from "../../src/domain/ports.ts";
import type { Caller, Project } from "../../src/domain/project.ts";

export type EventInit = MessageInitShape<typeof EventSchema>;

/** The encoding of an event, as a client would send it. */
export function encodeEvent(init: EventInit): Uint8Array {
  return toBinary(EventSchema, create(EventSchema, init));
}

/** An event that has passed validation, with an id of the sender's. */
export function eventToAppend(id: string, init: EventInit = {}): EventToAppend {
  const bytes = encodeEvent({ name: "click", ...init, id });
  return { id, isIdAssigned: false, bytes, isTimeAbsent: init.time === undefined, isTest: init.test ?? false };
}

let projectCount = 0;

/** A project that no other test uses. */
export function newProject(overrides: Partial<Project> = {}): Project {
  return { name: `test-${++projectCount}`, dedupeWindowMs: 7 * 24 * 60 * 60 * 1000, ...overrides };
}

/** A caller of the project, who waits for ever. */
export function callerOf(project: Project): Caller {
  return { project, entrance: "grpc", signal: new AbortController().signal };
}
