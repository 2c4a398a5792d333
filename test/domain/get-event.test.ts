import { describe, expect, it } from "vitest";
import { toCursor } from "../../src/domain/cursor.ts";
import type { WantedEvent } from "../../src/domain/get-event.ts";
import { createGetEvent } from "../../src/domain/get-event.ts";
import type { EventInit } from "../support/events.ts";
import { eventToAppend, newProject } from "../support/events.ts";
import { createFakeEventLog } from "../support/fake-event-log.ts";

async function setUp(inits: Record<string, EventInit> = { a: {} }) {
  const log = createFakeEventLog();
  const project = newProject();
  await log.append(
    project,
    "grpc",
    Object.entries(inits).map(([id, init]) => eventToAppend(id, init)),
  );
  const getEvent = createGetEvent(log);
  const get = (wanted: WantedEvent | undefined, environments: readonly string[] = []) =>
    getEvent({ project, environments }, wanted);
  const cursors = log.stored(project).map(({ position }) => toCursor(position));
  return { log, project, getEvent, get, stored: [...log.stored(project)], cursors };
}

const notFound = { reason: "EVENT_NOT_FOUND", message: "there is no such event" };

describe("createGetEvent", () => {
  it("returns an event by its id, and by its cursor", async () => {
    const { get, stored, cursors } = await setUp({ a: {}, b: {}, [`${"🛝".repeat(128)}`]: {} });

    for (const [i, id] of ["a", "b", "🛝".repeat(128)].entries()) {
      expect(await get({ id })).toEqual(stored[i]);
      expect(await get({ cursor: cursors[i] ?? "" })).toEqual(stored[i]);
    }
  });

  it("returns test events", async () => {
    const { get, stored } = await setUp({ a: { test: true } });

    expect(await get({ id: "a" })).toEqual(stored[0]);
  });

  it.each<[string, WantedEvent | undefined, string]>([
    ["neither id nor cursor", undefined, "event"],
    ["an empty id", { id: "" }, "id"],
    ["an id of 129 characters", { id: "🛝".repeat(129) }, "id"],
    ["an id that is no Unicode", { id: "\ud800" }, "id"],
    ["an empty cursor", { cursor: "" }, "cursor"],
    ["a cursor that is none", { cursor: "a".repeat(32) }, "cursor"],
  ])("refuses %s", async (_, wanted, field) => {
    const { get } = await setUp();

    await expect(get(wanted)).rejects.toMatchObject({ reason: "FILTER_INVALID", violations: [{ field }] });
  });

  it("finds nothing by an id that is unknown, a cursor without an event, or in another project", async () => {
    const { log, getEvent, get, stored, cursors } = await setUp();
    const [event] = stored;
    if (event === undefined) throw new Error("nothing is stored");
    const { position } = event;
    const other = { project: newProject(), environments: [] };
    await log.append(other.project, "grpc", [eventToAppend("b")]);

    await expect(get({ id: "b" })).rejects.toMatchObject(notFound);
    await expect(get({ cursor: toCursor({ ...position, seq: 9 }) })).rejects.toMatchObject(notFound);
    await expect(getEvent(other, { id: "a" })).rejects.toMatchObject(notFound);
    expect(await getEvent(other, { cursor: cursors[0] ?? "" })).not.toEqual(event);
  });

  it("finds an event only for keys that may read its environment, and says no more of it to others", async () => {
    const { get, stored, cursors } = await setUp({ a: { environment: "production" }, b: {} });

    expect(await get({ id: "a" }, ["staging", "production"])).toEqual(stored[0]);
    await expect(get({ id: "a" }, ["staging"])).rejects.toMatchObject(notFound);
    await expect(get({ cursor: cursors[0] ?? "" }, ["staging"])).rejects.toMatchObject(notFound);
    await expect(get({ id: "b" }, ["production"])).rejects.toMatchObject(notFound);
  });

  it("says that a cursor is before what is kept, or of another data set", async () => {
    const { log, project, get, stored, cursors } = await setUp({ a: {}, b: {}, c: {} });
    const [event] = stored;
    if (event === undefined) throw new Error("nothing is stored");
    log.trim(project, 2);
    const foreign = toCursor({ ...event.position, epoch: "other-epoch-" });

    await expect(get({ cursor: cursors[0] ?? "" })).rejects.toMatchObject({ reason: "CURSOR_EXPIRED" });
    await expect(get({ cursor: foreign })).rejects.toMatchObject({ reason: "CURSOR_EXPIRED" });
    await expect(get({ id: "a" })).rejects.toMatchObject(notFound);
    expect(await get({ id: "c" })).toEqual(stored[2]);
  });

  it("says that storage is away", async () => {
    const { log, get } = await setUp();
    log.failReads("STORAGE_UNAVAILABLE");

    await expect(get({ id: "a" })).rejects.toMatchObject({ reason: "STORAGE_UNAVAILABLE" });
  });
});
