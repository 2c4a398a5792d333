import type { JsonValue } from "@bufbuild/protobuf";
import type { Event } from "../../gen/sluice/v1/event_pb.ts";
import type { Entrance } from "../domain/entrance.ts";
import type { OfferedEvent } from "../domain/event.ts";
import type { ListQuery } from "../domain/list-events.ts";
import type { Answer } from "../domain/offer-events.ts";
import type { Quota } from "../domain/quota.ts";
import type { Refusal } from "./refusal.ts";

/**
 * A vendor's API that Sluice also speaks: data and pure functions that never see a socket. `dialect-routes.ts` does the
 * rest: it looks at keys, reads bodies within bounds, stores and lists events, and says what rate limits have left.
 * docs/dialects.md tells how to add one.
 */
export interface Dialect {
  /** Its name, as the entrance of the events that come in by it: 1 to 16 of a-z, 0-9 and `-`. */
  readonly entrance: Entrance;
  readonly endpoints: readonly Endpoint[];
  /** The key of a request in the vendor's own form. Default: that of `authorization: Bearer`. */
  key?(head: RequestHead): string | undefined;
  /** Throws a RequestRefused when a request with a key is not for the project that the key opens. */
  checkProject?(head: RequestHead, project: string): void;
  /**
   * The vendor's name of one of our fields, given as a path: of an event, such as `properties.color` and
   * `identities["user"]`; where it lists events, of a query too, such as `filter.names`, `page_size` and `page_token`.
   */
  fieldName(field: string): string;
  /**
   * The answer to a request that cannot be served, in the vendor's shape and words. Fields at fault have the vendor's
   * names already; `refusalText` is the sentence.
   */
  refuse(refusal: Refusal): Reply;
  /** What rate limits have left, in the vendor's own headers. `RateLimit` and `Retry-After` are there anyway. */
  quotaHeaders?(quotas: readonly Quota[]): Readonly<Record<string, string>>;
}

/** What answers one method on one path; other methods on a path are answered 405. */
export type Endpoint = TrackEndpoint | ListEndpoint | OpenEndpoint;

interface EndpointBase {
  /** As the call log names it, such as `split/events/bulk`. */
  readonly name: string;
  readonly method: "GET" | "POST";
  /** As Fastify writes it, such as `/track/v2/projects/:projectToken/batch`. */
  readonly path: string;
  /** Of methods that this path has at the vendor and not here: why not. */
  readonly refusedMethods?: Readonly<Record<string, string>>;
}

/** Stores events; open to keys with the permission `track`. */
export interface TrackEndpoint extends EndpointBase {
  readonly kind: "track";
  readonly method: "POST";
  /** Of a body, before and after it is inflated. */
  readonly bodyBytesMax: number;
  /** Whether a body may be a form, `application/x-www-form-urlencoded`. Default: JSON only. */
  readonly takesForms?: boolean;
  /** The key, where it is in the body: the body is then read before anyone knows whose it is, so keep it small. */
  keyInBody?(body: JsonValue): string | undefined;
  /** The events of a request. Throws RequestRefused or SluiceError for a body that cannot be told apart into events. */
  read(request: TrackRequest): Offer;
}

/** Lists events; open to keys with the permission `list`. */
export interface ListEndpoint extends EndpointBase {
  readonly kind: "list";
  /** What a request asks for. Throws RequestRefused or SluiceError. */
  read(head: RequestHead): Listing;
}

/** Answers everyone, without a key. */
export interface OpenEndpoint extends EndpointBase {
  readonly kind: "open";
  answer(nowMs: number): Reply;
}

/** A request without its body. */
export interface RequestHead {
  /** Of the path, decoded. */
  readonly params: Readonly<Record<string, string>>;
  readonly query: URLSearchParams;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string | readonly string[] | undefined>>;
}

/** A request with events, whose key has been looked at. */
export interface TrackRequest extends RequestHead {
  /** Of a form: an object of texts, where a name that is there twice has a list of them. */
  readonly body: JsonValue;
  readonly isForm: boolean;
  /** The environment that an event gets which names none; empty: none. */
  readonly environment: string;
  readonly nowMs: number;
  /** The id of the event at an index: from the `Idempotency-Key` of the request, if it has one; else empty. */
  eventId(index: number): string;
}

/** What a request offers to be stored. */
export interface Offer {
  readonly events: readonly OfferedEvent[];
  /** What was understood though it is not as the vendor documents it; told in the header `Sluice-Notice`. ASCII. */
  readonly notices?: readonly string[];
  /**
   * The reply, once storage has answered for each event; fields at fault have the vendor's names. Not asked when none is
   * stored and some could be later: the request then fails as a whole. Throws what became of an event where that is the
   * whole answer (`offerOne`). It is kept until then, so it may not hold on to the request, nor to its body.
   */
  answer(answer: Answer, nowMs: number): Reply;
}

/** What a request wants listed. */
export interface Listing {
  readonly query: Omit<ListQuery, "pageToken" | "after">;
  /** Where to go on: the `next` of a page, or the id of its last event. Undefined: at the beginning. */
  readonly after: string | undefined;
  answer(page: ListedPage): Reply;
}

/** One page of events. */
export interface ListedPage {
  readonly events: readonly ListedEvent[];
  /** Where to go on; undefined on the last page. */
  readonly next: string | undefined;
}

/** An event as it was stored. */
export interface ListedEvent {
  readonly id: string;
  readonly receivedMs: number;
  readonly event: Event;
}

/** An answer over HTTP. */
export interface Reply {
  readonly status: number;
  /** Sent as JSON. Undefined: an empty body. */
  readonly body?: JsonValue;
  readonly headers?: Readonly<Record<string, string>>;
}
