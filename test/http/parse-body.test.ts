import type { JsonValue } from "@bufbuild/protobuf";
import { describe, expect, it } from "vitest";
import { createBodyBudget } from "../../src/http/body-budget.ts";
import { parseBody } from "../../src/http/parse-body.ts";

const form = "application/x-www-form-urlencoded";
const valuesMax = 500_000;
const overloaded = expect.objectContaining({ reason: "OVERLOADED" });

/** What a body is parsed to, and what is counted for its values. */
function parse(body: string | Buffer, type?: string, takesForms = true): { body: JsonValue; taken: number } {
  let taken = 0;
  const lease = {
    take(bytes: number) {
      taken += bytes;
    },
  };
  return { body: parseBody(Buffer.from(body), type, takesForms, lease).body, taken };
}

function failureOf(...of: Parameters<typeof parse>): unknown {
  try {
    parse(...of);
  } catch (thrown) {
    return thrown;
  }
  return undefined;
}

describe("parseBody", () => {
  it.each([undefined, "", "application/json", "Application/JSON; charset=utf-8", "text/plain", "image/png", form])(
    "reads JSON that is called %s",
    (type) => {
      expect(parse(`{"a":[1]}`, type).body).toEqual({ a: [1] });
    },
  );

  it.each([undefined, "application/json", form])("skips a byte order mark before JSON that is called %s", (type) => {
    expect(parse(`\uFEFF{"a":"\uFEFF"}`, type).body).toEqual({ a: "\uFEFF" });
    expect(parse("\uFEFF[1]", "application/json").body).toEqual([1]);
  });

  it("skips one byte order mark, and none elsewhere", () => {
    expect(failureOf("\uFEFF\uFEFF{}")).toMatchObject({ reason: "MALFORMED" });
    expect(failureOf("{}\uFEFF")).toMatchObject({ reason: "MALFORMED" });
    expect(parse("\uFEFFa=1", form).body).toEqual({ "\uFEFFa": "1" });
  });

  it.each<[string, string | undefined]>([
    ["", undefined],
    ["{", "image/png"],
    ["a", "text/plain"],
    ["[1", "application/json"],
    ["a", "application/cloudevents+json"],
    ["{", form],
  ])("calls %s in %s malformed", (body, type) => {
    expect(failureOf(body, type)).toMatchObject({ reason: "MALFORMED", message: "the body is not valid JSON" });
  });

  it("calls what is no UTF-8 malformed", () => {
    expect(failureOf(Buffer.from([0x22, 0xff, 0x22]))).toMatchObject({ reason: "MALFORMED" });
  });

  it.each<[string, boolean, string]>([
    ["image/png", true, "JSON or a form"],
    ["image/png", false, "JSON,"],
    [form, false, "JSON,"],
  ])("refuses what is neither JSON nor called so: %s, forms taken %s", (type, takesForms, words) => {
    const refused = { status: 415, reason: "UNSUPPORTED_MEDIA_TYPE", message: expect.stringContaining(words) };

    expect(failureOf("a=1", type, takesForms)).toMatchObject(refused);
  });
});

describe("the values of a body", () => {
  /** JSON of so many values, and of so many bytes. */
  const listOf = (count: number, bytes: number) => `[${"1,".repeat(count - 1)}1]`.padEnd(bytes);

  it.each(["{", "[", ","])("are refused when there are too many before one is made, here of %s", (mark) => {
    const refused = { reason: "TOO_LARGE", message: `the body holds more than ${valuesMax} values` };

    expect(failureOf(mark.repeat(valuesMax))).toMatchObject({ reason: "MALFORMED" });
    expect(failureOf(mark.repeat(valuesMax + 1))).toMatchObject(refused);
  });

  it("may be as many as there may be", () => {
    expect(parse(listOf(valuesMax, 0)).body).toHaveLength(valuesMax);
    expect(failureOf(listOf(valuesMax + 1, 0))).toMatchObject({ reason: "TOO_LARGE" });
  });

  it("are counted with what is alike in texts, and with nothing else", () => {
    const padding = `"}]:\\"é€😀${"x".repeat(4096)}"`;

    expect(parse(`{"a":[1,{}],"b":"{[,","c":${padding}}`).taken).toBe(9 * 48);
  });

  it("are not counted in a body under 4 KiB", () => {
    expect(parse(listOf(2000, 4095)).taken).toBe(0);
    expect(parse(listOf(2000, 4096)).taken).toBe(2000 * 48);
  });

  it("are not counted in a form", () => {
    expect(parse(`a=${",".repeat(valuesMax + 1)}`, form).taken).toBe(0);
  });

  it("are not made when there is no room for them", async () => {
    const budget = createBodyBudget(4 * 2000 * 48);
    const parseList = (count: number) =>
      budget.run("shop", async (lease) => parseBody(Buffer.from(listOf(count, 5000)), undefined, false, lease).body);

    await expect(parseList(2001)).rejects.toThrow(overloaded);
    await expect(
      budget.run("shop", async (lease) => parseBody(Buffer.alloc(4096, ","), undefined, false, lease)),
    ).rejects.toThrow(overloaded);
    expect(await parseList(2000)).toHaveLength(2000);
  });

  it("are held until the request is over, and then given back", async () => {
    const budget = createBodyBudget(4 * 3000 * 48);
    const bytes = Buffer.from(listOf(2000, 5000));
    const parseTwice = () =>
      budget.run("shop", async (lease) => {
        parseBody(bytes, undefined, false, lease);
        expect(() => parseBody(bytes, undefined, false, lease)).toThrow(overloaded);
      });

    await parseTwice();
    await parseTwice();
  });

  it("fit an owner's share of 128 MiB at their most, with the largest body", async () => {
    const bytes = Buffer.from(listOf(valuesMax, 6 << 20));

    await createBodyBudget(128 << 20).run("shop", async (lease) => {
      lease.take(bytes.length);
      expect(parseBody(bytes, undefined, false, lease).body).toHaveLength(valuesMax);
    });
  });
});
