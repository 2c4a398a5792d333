import type { DescMessage } from "@bufbuild/protobuf";
import { fromJsonString } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { GetEventRequestSchema, ListEventsRequestSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { toJsonFault } from "../../src/rpc/json-fault.ts";

/** What a decoder throws at a text, or nothing. */
function thrownBy(decode: () => unknown): unknown {
  try {
    decode();
  } catch (thrown) {
    return thrown;
  }
  return expect.unreachable("it can be read");
}

const faultOf = (schema: DescMessage, json: string) => toJsonFault(thrownBy(() => fromJsonString(schema, json)));

const rfc3339 = "a time in it is not an RFC 3339 time such as 2026-01-01T00:00:00Z";
const twice = "a field or a map's key is there twice";

describe("toJsonFault", () => {
  it.each<[json: string, fault: string]>([
    ["", "it is not valid JSON"],
    ["{", "it is not valid JSON"],
    ["secret", "it is not valid JSON"],
    ["[]", "ListEventsRequest is no object"],
    ["null", "ListEventsRequest is no object"],
    [`"secret"`, "ListEventsRequest is no object"],
    [`{"filter":"secret"}`, "EventFilter is no object"],
    [`{"pagesize":1}`, "it has a field that ListEventsRequest does not have: pagesize"],
    [`{"filter":{"name":"secret"}}`, "it has a field that EventFilter does not have: name"],
    [`{"filter":{"not a name":1}}`, "it has a field that EventFilter does not have"],
    [`{"filter":{"a\\nb":1}}`, "it has a field that EventFilter does not have"],
    [`{"dev_${"secret".repeat(5)}":1}`, "it has a field that ListEventsRequest does not have"],
    [`{"order":"oldest"}`, "its Order is none that is known"],
    [`{"order":true}`, "its Order is none that is known"],
    [`{"order":9999999999}`, "ListEventsRequest.order is not what it must be"],
    [`{"filter":{"receiveTimeFrom":"2026-01-01"}}`, rfc3339],
    [`{"filter":{"receiveTimeUntil":1767225600}}`, rfc3339],
    [`{"pageSize":"secret"}`, "ListEventsRequest.page_size is no whole number"],
    [`{"pageSize":1.5}`, "ListEventsRequest.page_size is no whole number"],
    [`{"pageSize":9999999999}`, "ListEventsRequest.page_size is not what it must be"],
    [`{"pageSize":1,"page_size":1}`, "ListEventsRequest.page_size is there twice"],
    [`{"pageSize":1,"pageSize":1}`, twice],
    [`{"filter":{"names":"secret"}}`, "EventFilter.names is no list"],
    [`{"filter":{"names":["a",1]}}`, "EventFilter.names has an item that is no text"],
    [`{"filter":{"names":[null]}}`, "EventFilter.names is not what it must be"],
    [`{"filter":{"values":["secret"]}}`, "EventFilter.values has an item that is no number"],
    [`{"filter":{"includeTest":"secret"}}`, "EventFilter.include_test is no boolean"],
    [`{"filter":{"properties":["secret"]}}`, "EventFilter.properties is no object"],
    [`{"filter":{"identity":{"kind":"user","id":7}}}`, "Identity.id is no text"],
  ])("says of the ListEventsRequest %s: %s", (json, fault) => {
    expect(faultOf(ListEventsRequestSchema, json)).toBe(fault);
  });

  it.each<[json: string, fault: string]>([
    [`{"name":"\\ud800"}`, "Event.name is not valid Unicode"],
    [`{"time":"soon"}`, rfc3339],
    [`{"identities":{"secret":1}}`, "Event.identities has an item that is no text"],
    [`{"identities":{"${"secret".repeat(9)}":1}}`, "Event.identities has an item that is no text"],
    [`{"identities":{"a":"b","a":"c"}}`, twice],
    [`{"properties":["secret"]}`, "Struct is no object"],
    [`{"properties":{"a":${"[".repeat(200)}${"]".repeat(200)}}}`, "it is nested too deep"],
  ])("says of the Event %s: %s", (json, fault) => {
    expect(faultOf(EventSchema, json)).toBe(fault);
  });

  it("says which two fields exclude each other", () => {
    expect(faultOf(GetEventRequestSchema, `{"id":"secret","cursor":"secret"}`)).toBe(
      "it has both id and cursor, of which one may be set",
    );
  });

  it("tells text that is not UTF-8 from JSON that is not valid", () => {
    const decode = () => new TextDecoder("utf-8", { fatal: true }).decode(new Uint8Array([0xff]));

    expect(toJsonFault(thrownBy(decode))).toBe("it is not valid UTF-8");
  });

  it.each([new Error("secret"), "secret", undefined])("says nothing of what no decoder throws: %s", (thrown) => {
    expect(toJsonFault(thrown)).toBe("it is not what it must be");
  });

  it("quotes no value, whatever it is and wherever it is", () => {
    // As what a value could be taken for: the words that decoders put around it.
    const text = fc
      .array(fc.constantFrom("SECRET", `"`, ": ", "expected string, got ", "is unknown", "\n", "from JSON: "), {
        minLength: 1,
        size: "small",
      })
      .map((parts) => `SECRET${parts.join("")}`);
    const place = fc.constantFrom<(value: string) => [DescMessage, object | string]>(
      (value) => [ListEventsRequestSchema, value],
      (value) => [ListEventsRequestSchema, { order: value }],
      (value) => [ListEventsRequestSchema, { pageSize: value }],
      (value) => [ListEventsRequestSchema, { filter: value }],
      (value) => [ListEventsRequestSchema, { filter: { receiveTimeFrom: value } }],
      (value) => [ListEventsRequestSchema, { filter: { values: [value] } }],
      (value) => [ListEventsRequestSchema, { filter: { properties: value } }],
      (value) => [EventSchema, { identities: { [value]: 1 } }],
      (value) => [EventSchema, { properties: value }],
    );
    fc.assert(
      fc.property(text, place, (value, at) => {
        const [schema, json] = at(value);
        expect(faultOf(schema, JSON.stringify(json))).not.toContain("SECRET");
      }),
    );
  });
});
