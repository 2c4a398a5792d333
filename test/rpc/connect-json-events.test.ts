import { toBinary } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { eventLimits } from "../../src/domain/event.ts";
import { validateEvent } from "../../src/domain/validate-event.ts";
import { quoteEvents, readJsonEvent } from "../../src/rpc/json-events.ts";
import { callRaw, envelope } from "../support/raw-call.ts";
import { testKey, useHttpServer } from "../support/use-http-server.ts";

const server = useHttpServer();
const headers = { authorization: `Bearer ${testKey}` };
const text = `{"events":[{"name":"a"},{"name":"b","time":"secret"},{"name":tru},null,7,{"name":"c","more":[1],"value":"NaN"}]}`;

/** What the handler got, by the name of the event or as unreadable. */
function offered() {
  return server().handlers.calls[0]?.events.map((event) => ("name" in event ? event.name : "unreadable"));
}

describe("the JSON event of a Track", () => {
  const track = (text: string) => {
    const json = { name: "JSON", httpVersion: 1, contentType: "application/json", isEnveloped: false } as const;
    return callRaw(json, {
      port: server().port,
      path: "/sluice.v1.EventService/Track",
      headers,
      body: Buffer.from(text),
    });
  };

  it.each([`{"event":{"name":5}}`, `{"event":{"name":tru}}`, `{"event":7}`, `{"event":"secret"}`, `{"event":[]}`])(
    "comes to the handler though it cannot be read: %s",
    async (text) => {
      expect(await track(text)).toMatchObject({ code: "OK" });
      expect(offered()).toEqual(["unreadable"]);
    },
  );

  it("is read", async () => {
    expect(await track(`{"event":{"name":"a","properties":{"event":[1]}},"more":{}}`)).toMatchObject({ code: "OK" });
    expect(offered()).toEqual(["a"]);
  });

  it.each(["{}", `{"event":null}`])("may be absent: %s", async (text) => {
    expect(await track(text)).toMatchObject({ code: "OK" });
    expect(offered()).toEqual([]);
  });

  it.each([`{"event":{"name":"a"}`, `{"event":}`, `{"event":{},}`, `{"event":{}}}`, `[{}]`, "7"])(
    "is not looked for in what is no JSON object: %s",
    async (text) => {
      expect(await track(text)).toMatchObject({ code: "INVALID_ARGUMENT", reason: "MALFORMED" });
      expect(server().handlers.calls).toEqual([]);
    },
  );
});

describe("one JSON event that cannot be read", () => {
  const expected = ["a", "unreadable", "unreadable", "unreadable", "unreadable", "c"];

  it("leaves the others of a TrackMany alone", async () => {
    const json = { name: "JSON", httpVersion: 1, contentType: "application/json", isEnveloped: false } as const;
    const path = "/sluice.v1.EventService/TrackMany";
    const answer = await callRaw(json, { port: server().port, path, headers, body: Buffer.from(text) });

    expect(answer).toMatchObject({ code: "OK" });
    expect(offered()).toEqual(expected);
  });

  it("leaves the others of a TrackBatch alone", async () => {
    const json = { name: "JSON", httpVersion: 1, contentType: "application/connect+json", isEnveloped: true } as const;
    const path = "/sluice.v1.EventService/TrackBatch";
    const answer = await callRaw(json, { port: server().port, path, headers, body: envelope(Buffer.from(text)) });

    expect(answer).toMatchObject({ code: "OK" });
    expect(offered()).toEqual(expected);
  });
});

describe("a JSON message of too many values", () => {
  const json = `{"events":[{"name":"a","properties":{"a":[${"{},".repeat(600_000)}1]}}]}`;

  it.each([
    { path: "TrackMany", contentType: "application/json", isEnveloped: false },
    { path: "TrackBatch", contentType: "application/connect+json", isEnveloped: true },
  ] as const)("is refused before it is parsed by $path", async ({ path, contentType, isEnveloped }) => {
    const body = Buffer.from(json);
    const answer = await callRaw(
      { name: "JSON", httpVersion: 1, contentType, isEnveloped },
      {
        port: server().port,
        path: `/sluice.v1.EventService/${path}`,
        headers,
        body: isEnveloped ? envelope(body) : body,
      },
    );

    expect(answer).toMatchObject({ code: "RESOURCE_EXHAUSTED", reason: "TOO_LARGE" });
    expect(offered() ?? []).toEqual([]);
  });
});

describe("readJsonEvent", () => {
  it.each(["NaN", "Infinity", "-Infinity"])("reads the value %s", (value) => {
    expect(readJsonEvent(`{"value":"${value}"}`)).toMatchObject({ value: Number(value) });
  });

  it("says of an event that is nested too deep just that", () => {
    const json = `{"properties":{"a":${"[".repeat(200)}${"]".repeat(200)}}}`;

    expect(readJsonEvent(json)).toMatchObject({
      refusal: { violation: { field: "", message: "is not a JSON Event: it is nested too deep" } },
    });
  });

  it.each(["secret", `{"time":"secret"}`, `{"identities":{"secret":1}}`, `{"value":1e400}`, "[]"])(
    "says why %s is no event, without a word of it",
    (json) => {
      const event = readJsonEvent(json);

      expect(event).toMatchObject({
        refusal: { reason: "MALFORMED", violation: { message: expect.stringMatching(/^is not a JSON Event: /) } },
      });
      expect("refusal" in event && event.refusal.violation.message).not.toContain("secret");
    },
  );
});

describe("quoteEvents", () => {
  const read = (json: string): unknown => JSON.parse(quoteEvents(json));

  it.each([
    ["events", `{"events":[{"a":[1,2]},[3,4]]}`, [`{"a":[1,2]}`, "[3,4]"]],
    ["brackets and quotes in strings", `{"events":[{"a":"],}\\"]\\\\"},"x,y"]}`, [`{"a":"],}\\"]\\\\"}`, `"x,y"`]],
    ["space", `\n{ "events" : [ {} ,\t1 ] }`, ["{}", "1"]],
    ["an escaped key", `{"\\u0065vents":[1]}`, ["1"]],
    ["no events", `{"events":[ ]}`, []],
    ["the last of two lists", `{"events":[1],"events":[2]}`, ["2"]],
    ["what is no list", `{"events":{"events":[1]}}`, { events: [1] }],
  ])("puts %s into strings", (_, json, events) => {
    expect(read(json)).toEqual({ events });
  });

  it.each([
    ["an event", `{"event":{"a":[1,"}"]}}`, `{"a":[1,"}"]}`],
    ["an event before others", `{"event":{"a":1},"x":2}`, `{"a":1}`],
    ["an escaped key of one", `{"\\u0065vent": 1 }`, "1"],
    ["the last of two", `{"event":1,"event":2}`, "2"],
    ["a text", `{"event":"a"}`, `"a"`],
    ["nothing for null", `{"event":null}`, null],
  ])("puts %s into a string", (_, json, event) => {
    expect(read(json)).toMatchObject({ event });
  });

  it("leaves other fields as they are", () => {
    expect(read(`{"x":[1,[2]],"y":"events","events":[1],"z":[3]}`)).toEqual({
      x: [1, [2]],
      y: "events",
      events: ["1"],
      z: [3],
    });
  });

  it.each([
    "",
    "{",
    "[",
    `{"events":[`,
    `{"events":[1,]}`,
    `{"events":[,1]}`,
    `{"events":[1}]`,
    `{"events":[1]]}`,
    `"`,
    "]}",
    `{"event":}`,
    `{"event":{"a":1}`,
    `{"event":1,}`,
    `{"event":"event":1}`,
    `{"event":"events"[1]}`,
  ])("leaves %s no JSON", (json) => {
    expect(() => read(json)).toThrow(SyntaxError);
  });

  it("stops where there is too much beside the events", () => {
    expect(read(`{"x":[${"1,".repeat(900)}1]}`)).toBeDefined();
    expect(() => quoteEvents(`{"x":[${"{},".repeat(1001)}`)).toThrow("more than 1000 values beside its events");
    expect(() => quoteEvents(`{"events":[${"[1,2],".repeat(499)}[${"1,".repeat(2000)}1]]}`)).not.toThrow();
  });

  const valuesMax = 1_000_000;
  const tooManyValues = expect.objectContaining({
    reason: "TOO_LARGE",
    message: `the message holds more than ${valuesMax} values`,
  });

  it.each([
    ["an event", `{"event":[`],
    ["events", `{"events":[1,{"a":[`],
  ])("stops at the first value too many in %s", (_, begin) => {
    const rest = valuesMax - (begin.match(/[{[,]/g)?.length ?? 0);

    expect(() => quoteEvents(`${begin}${"1,".repeat(rest)}`)).not.toThrow();
    expect(() => quoteEvents(`${begin}${"1,".repeat(rest + 1)}`)).toThrow(tooManyValues);
  });

  it.each(["{},", "[],", "[", `{"a":`, "[{},"])("stops where there are too many of %s", (values) => {
    expect(() => quoteEvents(`{"event":{"properties":{"a":[${values.repeat(valuesMax)}`)).toThrow(tooManyValues);
  });

  it("takes texts for one value, whatever is in them", () => {
    expect(() => quoteEvents(`{"event":"${"{[,".repeat(valuesMax)}"}`)).not.toThrow();
  });

  it("takes the most values that an event can have", () => {
    // In a property of 16,384 bytes, 4 are its own length and its list's.
    const list = `[${"[],".repeat(4093)}[]]`;
    const properties = Array.from({ length: 48 }, (_, i) => `"${i}":${list}`).join();
    const read: { event: string } = JSON.parse(quoteEvents(`{"event":{"name":"a","properties":{${properties}}}}`));
    const event = readJsonEvent(read.event);

    if ("refusal" in event) throw new Error(event.refusal.violation.message);
    expect(validateEvent(event, 0)).toBeUndefined();
    const bytes = toBinary(EventSchema, event).length;
    expect(bytes).toBeGreaterThan(eventLimits.eventBytes - eventLimits.propertyBytes);
    expect(bytes).toBeLessThan(eventLimits.eventBytes);
  });

  it("stops at the first event too many", () => {
    expect(quoteEvents(`{"events":[${"1,".repeat(499)}1]}`)).toContain('"1"');
    expect(() => quoteEvents(`{"events":[${"1,".repeat(501)}`)).toThrow("more than 500 events");
  });
});
