import { create, toBinary } from "@bufbuild/protobuf";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { EventSchema } from "../../gen/sluice/v1/event_pb.ts";
import { readEventText } from "../../src/domain/event-text.ts";
import { arbitraryEvent } from "../support/arbitrary-events.ts";
import { encodeEvent } from "../support/events.ts";
import { field, join } from "../support/wire-fields.ts";

describe("readEventText", () => {
  it("reads what decoding the whole event reads", () => {
    fc.assert(
      fc.property(arbitraryEvent, (init) => {
        const event = create(EventSchema, init);
        const bytes = toBinary(EventSchema, event);

        expect(readEventText(bytes, "name")).toBe(event.name);
        expect(readEventText(bytes, "environment")).toBe(event.environment);
      }),
    );
  });

  it("reads the last of several, as an environment that is filled in stands at the end", () => {
    const bytes = join(encodeEvent({ name: "click" }), field(7, ""), field(7, "staging"));

    expect(readEventText(bytes, "environment")).toBe("staging");
  });
});
