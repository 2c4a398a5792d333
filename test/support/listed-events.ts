/** An event as ListEvents gives it back, in its JSON form. */
export interface ListedJson {
  readonly id: string;
  readonly name: string;
  readonly identities?: Readonly<Record<string, string>>;
  readonly time: string;
  readonly value?: number;
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly environment?: string;
  readonly test?: boolean;
  readonly cursor: string;
  readonly receiveTime: string;
  readonly entrance: string;
}

/** What a sender says of an event: all but `id`, what the server adds, and a time that is that of the receipt. */
export type EventContent = Omit<ListedJson, "id" | "cursor" | "receiveTime" | "entrance" | "time"> & {
  readonly time?: string;
};

/** Calls a method of EventService in JSON. Throws unless it is answered 200. */
export async function callJson(url: string, key: string, method: string, request: object): Promise<unknown> {
  const response = await fetch(`${url}/sluice.v1.EventService/${method}`, {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Bearer ${key}` },
    body: JSON.stringify(request),
  });
  const text = await response.text();
  if (!response.ok) throw new Error(`${method} was answered ${response.status}: ${text}`);
  return JSON.parse(text);
}

/** All events of the project that a key opens, oldest first, test events too. */
export async function listAllEvents(url: string, key: string): Promise<ListedJson[]> {
  const events: ListedJson[] = [];
  let pageToken = "";
  for (let page = 0; page < 1000; page++) {
    const request = { order: "ORDER_OLDEST_FIRST", pageSize: 1000, filter: { includeTest: true }, pageToken };
    const listed = toPage(await callJson(url, key, "ListEvents", request));
    events.push(...(listed.events ?? []));
    pageToken = listed.nextPageToken ?? "";
    if (pageToken === "") return events;
  }
  throw new Error("the pages do not end");
}

/** What the sender of an event said. */
export function contentOf(event: ListedJson): EventContent {
  const { id: _id, cursor: _cursor, receiveTime, entrance: _entrance, time, ...content } = event;
  return time === receiveTime ? content : { ...content, time };
}

function toPage(page: unknown): { events?: ListedJson[]; nextPageToken?: string } {
  if (typeof page !== "object" || page === null) throw new Error("this is no page");
  return page;
}
