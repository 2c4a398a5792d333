import type { MessageInitShape } from "@bufbuild/protobuf";
import { create, toBinary } from "@bufbuild/protobuf";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import type { RefusedEvent } from "../../src/domain/event.ts";
import type { EventToAppend } from "../../src/domain/ports.ts";
import type { Caller, Project, ProjectSettings } from "../../src/domain/project.ts";
import { settingDefaults } from "../../src/domain/project.ts";

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

/** An event that could not be read. */
export function unreadableEvent(message: string, sent?: string): RefusedEvent {
  const refusal = { reason: "MALFORMED", violation: { field: "", message } } as const;
  return sent === undefined ? { refusal } : { refusal, sent };
}

let projectCount = 0;

/** A project that no other test uses, with the default settings but for these. */
export function newProject(settings: Partial<ProjectSettings> = {}): Project {
  return { name: `test-${++projectCount}`, settings: { ...settingDefaults, ...settings } };
}

/** A caller of the project, who waits for ever and may use all environments, unless these say otherwise. */
export function callerOf(project: Project, overrides: Partial<Caller> = {}): Caller {
  return {
    project,
    environments: [],
    entrance: "grpc",
    signal: new AbortController().signal,
    remainingMs: () => Number.POSITIVE_INFINITY,
    recheckKey() {},
    ...overrides,
  };
}
