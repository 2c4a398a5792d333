import type { Dialect, TrackRequest } from "../../src/http/dialect.ts";
import { isJsonObject } from "../../src/http/is-json-object.ts";
import { newEvent } from "../../src/http/new-event.ts";
import { offerOne, refuseEvent } from "../../src/http/offer-one.ts";
import { RequestRefused } from "../../src/http/refusal.ts";

/** A vendor's API as small as can be: all that it takes to add one. */
export const madeUp: Dialect = {
  entrance: "made-up",
  endpoints: [
    {
      kind: "track",
      name: "made-up/track",
      method: "POST",
      path: "/made-up/:project/events",
      bodyBytesMax: 1000,
      takesForms: true,
      refusedMethods: { DELETE: "what is stored stays" },
      read: (request) =>
        offerOne(readEvent(request), notices(request), ({ kind }) => ({ status: 200, body: { kind } })),
    },
    {
      kind: "track",
      name: "made-up/beacon",
      method: "POST",
      path: "/made-up/beacon",
      bodyBytesMax: 1000,
      keyInBody: (body) => (isJsonObject(body) ? String(body.key) : undefined),
      read: (request) => offerOne(readEvent(request), [], () => ({ status: 204 })),
    },
    {
      kind: "list",
      name: "made-up/list",
      method: "GET",
      path: "/made-up/:project/events",
      read: ({ query }) => ({
        query: {
          filter: {
            names: query.getAll("name"),
            environment: "",
            values: [],
            properties: new Map(),
            includeTest: false,
          },
          order: "newest-first",
          pageSize: Number(query.get("limit") ?? 10),
        },
        after: query.get("after") ?? undefined,
        answer: ({ events, next }) => ({
          status: 200,
          body: { events: events.map(({ id, event }) => ({ id, name: event.name })), next: next ?? null },
        }),
      }),
    },
    {
      kind: "open",
      name: "made-up/time",
      method: "GET",
      path: "/made-up/time",
      answer: (nowMs) => ({ status: 200, body: nowMs, headers: { "x-made-up": "yes" } }),
    },
  ],
  checkProject({ params }, project) {
    if (params.project === "another" && project !== "another") {
      throw new RequestRefused(400, "PROJECT_UNKNOWN", "no such project");
    }
  },
  fieldName: (field) => field.replace(/^name/, "what").replace(/^filter\.names/, "name"),
  refuse: ({ status, reason, message, violations }) => ({
    status,
    body: { refused: reason, message, fields: violations.map(({ field }) => field) },
  }),
  quotaHeaders: ([quota]) => ({ "x-left": String(quota?.remaining) }),
};

function readEvent({ body, eventId }: TrackRequest) {
  if (!isJsonObject(body)) return refuseEvent("", "is not an object", body);
  if (body.what === "refused") return refuseEvent("what", "is refused", body);
  // A field of the vendor that is called as one of ours, which the vendor calls otherwise.
  if (body.name !== undefined) return refuseEvent("name", "is refused", body);
  return newEvent({ id: eventId(0), name: typeof body.what === "string" ? body.what : "" });
}

function notices({ isForm }: TrackRequest): string[] {
  return isForm ? ["a form"] : [];
}
