import { gzipSync } from "node:zlib";
import type { JsonValue } from "@bufbuild/protobuf";
import fc from "fast-check";
import type { Dialect, Endpoint } from "../../src/http/dialect.ts";
import { readFixtureFile } from "./read-fixture-file.ts";

/** A request to an endpoint of a dialect. */
export interface DialectRequest {
  readonly dialect: Dialect;
  readonly endpoint: Endpoint;
  readonly method: string;
  /** With its query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Buffer;
}

/** Who sends requests. */
export interface Sender {
  readonly key: string;
  readonly project: string;
}

/** A body that an endpoint takes, by the dialect's fixtures; undefined where they have none. */
export function validBody({ entrance }: Dialect, endpoint: Endpoint, { key }: Sender): JsonValue | undefined {
  const text = readFixtureFile(entrance, "bodies.json") ?? "{}";
  return JSON.parse(text.replaceAll('"<key>"', () => JSON.stringify(key)))[endpoint.name];
}

/** The path of an endpoint, with the sender's project in the place of a parameter. */
export function pathOf({ path }: Endpoint, project: string): string {
  return path.replace(/:\w+/g, () => project);
}

/** An `authorization` with a key in a form that a dialect takes. */
export function authorizationOf({ key: readKey }: Dialect, key: string): string {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
  const forms = [`Bearer ${key}`, basic(`id:${key}`), basic(`${key}:`), `Token ${key}`];
  const isTaken = (authorization: string) =>
    readKey === undefined || readKey({ params: {}, query: new URLSearchParams(), headers: { authorization } }) === key;
  return forms.find(isTaken) ?? "";
}

const deep = 10_000;

/** JSON that is seldom meant so, as text: much of it cannot be said by a value of ours. */
const oddJson: fc.Arbitrary<string> = fc.oneof(
  {
    arbitrary: fc.constantFrom(
      ...["1e400", "-1e400", "1e308", "5e-324", "-0", "9007199254740993", "123456789012345678901234567890", "-1"],
      ...["null", "true", "false", "[]", "{}", '""', '" "', "[null]", '[["a"]]'],
      ...['"\\ud800"', '"a\\udc00b"', '"\\u0000"', '"\\u0085"', '"\\ufeff"', '"NaN"', '"Infinity"', '"-1"', '"1e9"'],
      ...['"2024-02-30T00:00:00Z"', '"9999-12-31T23:59:59Z"', '"+275760-09-13"', "99999999999999999999", '"0x10"'],
      ...['{"__proto__":{"a":1}}', '{"__proto__":"a"}', '{"constructor":{"prototype":1}}', '{"toString":1}', '{"":1}'],
      ...['{"\\ud800":1}', '{"\\u0000":1}', '{"a":1,"a":2}', '{"length":1e9}', '{"then":1}'],
      ...[JSON.stringify("ü".repeat(300)), JSON.stringify("x".repeat(20_000))],
      ...["[".repeat(deep) + "]".repeat(deep), `${'{"a":'.repeat(deep)}1${"}".repeat(deep)}`],
      `[${"[".repeat(100)}1${"]".repeat(100)}]`,
      `[${Array.from({ length: 2000 }, (_, i) => i).join()}]`,
      `{${Array.from({ length: 400 }, (_, i) => `"k${i}":${i}`).join()}}`,
    ),
    weight: 4,
  },
  { arbitrary: fc.json({ stringUnit: "binary" }), weight: 1 },
);

const placeholder = "\uffff";

/** What a value of a valid body is replaced with, each in its turn. */
const oddValues = ["null", "true", "0", "-1", "1e400", '""', '"x"', '"\\ud800"', "[]", "{}", "[null]", '{"a":{}}'];

/** Every body in which one thing of a valid one is left out, or is something else, as text. */
export function nearMisses(valid: JsonValue): string[] {
  const placeCount = listPlaces({ body: valid }).length;
  return Array.from({ length: placeCount }, (_, place) =>
    [undefined, ...oddValues].map((json) => {
      const root: { [name: string]: JsonValue } = { body: structuredClone(valid) };
      const [parent, name] = listPlaces(root)[place] ?? [root, "body"];
      if (Array.isArray(parent)) parent[Number(name)] = placeholder;
      else if (json !== undefined) parent[name] = placeholder;
      else delete parent[name];
      return JSON.stringify(root.body ?? null).replace(`"${placeholder}"`, () => json ?? "null");
    }),
  ).flat();
}

/** A valid body with one thing changed in it, as text. */
function nearMiss(valid: JsonValue): fc.Arbitrary<string> {
  return fc
    .record({
      place: fc.nat(),
      change: fc.constantFrom("replace", "replace", "delete", "rename", "add"),
      json: oddJson,
    })
    .map(({ place, change, json }) => {
      const root: { [name: string]: JsonValue } = { body: structuredClone(valid) };
      const places = listPlaces(root);
      const [parent, name] = places[place % places.length] ?? [root, "body"];
      if (Array.isArray(parent)) parent[Number(name)] = placeholder;
      else if (change === "add") parent.extra = placeholder;
      else if (change === "replace") parent[name] = placeholder;
      else {
        if (change === "rename") parent[name.toUpperCase()] = parent[name] ?? null;
        delete parent[name];
      }
      return JSON.stringify(root.body ?? null).replace(`"${placeholder}"`, () => json);
    });
}

type Parent = JsonValue[] | { [name: string]: JsonValue };

/** Every value in a parent, by its name or index there. */
function listPlaces(parent: Parent): [Parent, string][] {
  return Object.entries(parent).flatMap(([name, child]): [Parent, string][] => [
    [parent, name],
    ...(typeof child === "object" && child !== null ? listPlaces(child) : []),
  ]);
}

const formText = fc.oneof(fc.string({ unit: "binary", maxLength: 8 }).map(toPercents), fc.string({ maxLength: 8 }));

const form: fc.Arbitrary<string> = fc
  .array(
    fc.tuple(
      fc.oneof(
        fc.constantFrom("name", "timestamp", "email", "metadata", "metadata[a]", "metadata[__proto__]", "test_data"),
        fc.constantFrom("__proto__", "__proto__[a]", "metadata[a][b]", "metadata[]", "[", "a[", "constructor"),
        formText,
      ),
      fc.oneof(
        fc.constantFrom("deploy", "1680723287", "a@example.com", "true", "%", "%zz", "%ff", "+"),
        formText,
        oddJson,
      ),
    ),
    { maxLength: 8 },
  )
  .map((pairs) => pairs.map(([name, value]) => `${name}=${value}`).join("&"));

/** A lone surrogate has no percents. */
function toPercents(text: string): string {
  return encodeURIComponent(text.toWellFormed());
}

function bodyText(dialect: Dialect, endpoint: Endpoint, sender: Sender): fc.Arbitrary<string> {
  const texts = [
    { arbitrary: oddJson, weight: 2 },
    { arbitrary: form, weight: 2 },
    { arbitrary: fc.string({ unit: "binary" }), weight: 1 },
    { arbitrary: fc.constantFrom("", " ", "{", "[1,]", "nul", "\ufeff{}", '{"a":1}{"b":2}'), weight: 1 },
  ];
  const valid = validBody(dialect, endpoint, sender);
  if (valid === undefined) return fc.oneof(...texts);
  return fc.oneof(
    { arbitrary: fc.constant(JSON.stringify(valid)), weight: 2 },
    { arbitrary: nearMiss(valid), weight: 14 },
    ...texts,
  );
}

/** How a text becomes a body, and what the request says of that. */
const packings: readonly ((text: string) => { body: Buffer; encoding?: string })[] = [
  (text) => ({ body: gzipSync(text), encoding: "gzip" }),
  (text) => ({ body: gzipSync(text).subarray(0, -9), encoding: "gzip" }),
  (text) => ({ body: Buffer.from(text), encoding: "gzip" }),
  (text) => ({ body: gzipSync(text) }),
  (text) => ({ body: Buffer.from(text), encoding: "br" }),
  (text) => ({ body: Buffer.from(text, "utf16le") }),
  (text) => ({ body: Buffer.from(text, "latin1") }),
];

const packing = fc.oneof(
  {
    arbitrary: fc.constant((text: string): { body: Buffer; encoding?: string } => ({ body: Buffer.from(text) })),
    weight: 12,
  },
  { arbitrary: fc.constantFrom(...packings), weight: 5 },
);

/** What HTTP lets a header say. */
const headerText = fc.string({
  unit: fc.integer({ min: 0x20, max: 0xff }).map((code) => (code === 0x7f ? " " : String.fromCharCode(code))),
});

function authorization(dialect: Dialect, { key }: Sender): fc.Arbitrary<string | undefined> {
  const basic = (text: string) => `Basic ${Buffer.from(text).toString("base64")}`;
  return fc.oneof(
    { arbitrary: fc.constant(authorizationOf(dialect, key)), weight: 20 },
    {
      arbitrary: fc.constantFrom(
        ...[undefined, "", "Bearer", "Bearer ", `Bearer  ${key} x`, "Basic", "Basic !", basic(""), basic(":")],
        ...[
          `bearer ${key}`,
          basic(`id:${key}`),
          basic(key),
          basic("\ud800:\0"),
          `Token ${key}`,
          "Token",
          "Digest a=b",
          key,
        ],
      ),
      weight: 4,
    },
    {
      arbitrary: fc.tuple(fc.constantFrom("Bearer", "Basic", "Token", ""), headerText).map((parts) => parts.join(" ")),
      weight: 2,
    },
  );
}

const contentType = fc.oneof(
  { arbitrary: fc.constant("application/json"), weight: 6 },
  {
    arbitrary: fc.constantFrom(
      ...[
        undefined,
        "",
        "text/plain",
        "text/plain;charset=UTF-8",
        "application/x-www-form-urlencoded",
        "APPLICATION/JSON",
      ],
      ...[
        "application/json; charset=utf-16",
        "multipart/form-data; boundary=x",
        "application/octet-stream",
        ";",
        "a/b/c",
      ],
    ),
    weight: 4,
  },
  { arbitrary: headerText, weight: 1 },
);

const idempotencyKey = fc.oneof(
  { arbitrary: fc.constant(undefined), weight: 6 },
  { arbitrary: fc.constantFrom("", '""', '"a"', "a", "a".repeat(120), "a".repeat(121), "ü", "a/0", "\t"), weight: 2 },
  { arbitrary: headerText, weight: 1 },
);

const queryText = fc.oneof(
  formText.map(toPercents),
  fc.constantFrom("", "%", "%zz", "%ff", "[]", "0", "1", "-1", "1e400"),
);

const query = fc.oneof(
  { arbitrary: fc.constant(""), weight: 3 },
  {
    arbitrary: fc
      .array(
        fc.tuple(
          fc.oneof(
            fc.constantFrom(
              "limit",
              "startingAfter",
              "eventName",
              "value",
              "metadata.a",
              "metadata.",
              "metadata.__proto__",
            ),
            fc.constantFrom("test_data", "access_token", "__proto__", "a[b]"),
            queryText,
          ),
          queryText,
        ),
        { maxLength: 20 },
      )
      .map((pairs) => `?${pairs.map(([name, value]) => `${name}=${value}`).join("&")}`),
    weight: 2,
  },
);

/**
 * Any request to an endpoint of a dialect that HTTP lets a client send; most of them nearly right, where the dialect's
 * fixtures have a body that is right.
 */
export function arbitraryRequest(dialect: Dialect, sender: Sender): fc.Arbitrary<DialectRequest> {
  return fc.constantFrom(...dialect.endpoints).chain((endpoint) =>
    fc
      .record({
        method: fc.oneof(
          { arbitrary: fc.constant(endpoint.method), weight: 12 },
          {
            arbitrary: fc.constantFrom(
              ...[
                "GET",
                "POST",
                "PUT",
                "PATCH",
                "DELETE",
                "HEAD",
                "OPTIONS",
                "TRACE",
                "PROPFIND",
                "QUERY",
                "SUBSCRIBE",
              ],
            ),
            weight: 1,
          },
        ),
        project: fc.oneof(
          { arbitrary: fc.constant(sender.project), weight: 12 },
          { arbitrary: fc.constantFrom("other", "a%2Fb", "%00", "%20", "__proto__", "*", "a".repeat(500)), weight: 1 },
        ),
        query,
        text: bodyText(dialect, endpoint, sender),
        packing,
        authorization: authorization(dialect, sender),
        contentType,
        idempotencyKey,
        origin: fc.constantFrom(undefined, undefined, undefined, "https://example.com", "null"),
      })
      .map((parts) => {
        const { body, encoding } = parts.packing(parts.text);
        const headers = {
          authorization: parts.authorization,
          "content-type": parts.contentType,
          "content-encoding": encoding,
          "idempotency-key": parts.idempotencyKey,
          origin: parts.origin,
          "content-length": body.length > 0 || endpoint.method === "POST" ? String(body.length) : undefined,
        };
        const request = {
          dialect,
          endpoint,
          method: parts.method,
          path: pathOf(endpoint, parts.project) + parts.query,
          headers: Object.fromEntries(
            Object.entries(headers).flatMap(([name, value]) => (value === undefined ? [] : [[name, value]])),
          ),
          body,
        };
        // Otherwise a report of a failure has a line for each byte.
        const text = () =>
          `${request.method} ${request.path} ${JSON.stringify(request.headers)} ${parts.text.slice(0, 500)}`;
        return Object.defineProperty(request, fc.toStringMethod, { value: text });
      }),
  );
}
