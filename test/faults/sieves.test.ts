import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { createSampleEvents } from "./sample-events.ts";
import { createSeededRandom } from "./seeded-random.ts";
import { createSieves } from "./sieves.ts";

const samples = createSampleEvents("sieved");
const events = Array.from({ length: 300 }, (_, i) => ({ ...samples.make(), receiveTime: timestampFromMs(1_000 + i) }));

describe("createSieves", () => {
  it("makes filters of which each lets some through, and not all", () => {
    const sieves = createSieves(events, createSeededRandom(7));
    const shares = sieves.map(({ lets }) => events.filter(lets).length / events.length);

    expect(sieves.length).toBeGreaterThan(30);
    expect(Math.max(...shares)).toBeLessThan(1);
    expect(shares.filter((share) => share > 0).length).toBeGreaterThan(sieves.length - 5);
  });

  it("makes others of another seed, and the same of the same", () => {
    const namesOf = (seed: number) => createSieves(events, createSeededRandom(seed)).map(({ name }) => name);

    expect(namesOf(1)).toEqual(namesOf(1));
    expect(namesOf(1)).not.toEqual(namesOf(2));
  });

  it("takes a text for the number that is written so", () => {
    const sieve = createSieves(events, createSeededRandom(7)).find(({ name }) => name === "status 404");

    expect(sieve?.lets(create(EventSchema, { properties: { status: 404 } }))).toBe(true);
    expect(sieve?.lets(create(EventSchema, { properties: { status: "404" } }))).toBe(true);
    expect(sieve?.lets(create(EventSchema, { properties: { status: 4040 } }))).toBe(false);
    expect(sieve?.lets(create(EventSchema))).toBe(false);
  });
});
