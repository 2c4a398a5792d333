import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { timestampFromDate } from "@bufbuild/protobuf/wkt";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { OutputClosed, type PageWriter } from "../../src/cli/page-writer.ts";
import type { ReadDeps } from "../../src/cli/read-command.ts";
import type { FakeEventService, FakeEventServiceOptions } from "./fake-event-service.ts";
import { createFakeEventService } from "./fake-event-service.ts";

export interface ReadHarnessOptions extends FakeEventServiceOptions {
  readonly columns?: number | undefined;
  readonly output?: PageWriter;
}

/** What a command that reads was given to work with, and what it made of that. */
export interface ReadHarness {
  readonly deps: ReadDeps;
  readonly service: FakeEventService;
  /** What it wrote, a text each time. */
  readonly pages: string[];
  /** What it told, and what its status line showed, `""` where that was cleared. */
  readonly told: string[];
  readonly shown: string[];
  /** For how long it waited. Nothing but waiting, and the test, takes time. */
  readonly delaysMs: number[];
  readonly time: { nowMs: number };
}

/** Its output, closed. */
export const closedOutput: PageWriter = { columns: undefined, write: () => Promise.reject(new OutputClosed()) };

export function createReadHarness({ columns, output, ...options }: ReadHarnessOptions = {}): ReadHarness {
  const service = createFakeEventService(options);
  const pages: string[] = [];
  const told: string[] = [];
  const shown: string[] = [];
  const delaysMs: number[] = [];
  const time = { nowMs: 0 };
  const deps: ReadDeps = {
    client: service.client,
    url: "http://sluice.test",
    clock: {
      nowMs: () => time.nowMs,
      async wait(ms) {
        delaysMs.push(ms);
        time.nowMs += ms;
      },
    },
    random: () => 0.5,
    output: output ?? { columns, write: async (text) => void pages.push(text) },
    status: {
      show: (text) => void shown.push(text),
      clear: () => void (shown.at(-1) && shown.push("")),
    },
    tell: (line) => told.push(line),
  };
  return { deps, service, pages, told, shown, delaysMs, time };
}

export function someEvent(id: string, more: MessageInitShape<typeof EventSchema> = {}): Event {
  const time = timestampFromDate(new Date("2026-01-02T03:04:05Z"));
  return create(EventSchema, { id, name: "click", time, receiveTime: time, ...more });
}

export function linesOf(pages: readonly string[]): string[] {
  return pages.join("").split("\n").slice(0, -1);
}
