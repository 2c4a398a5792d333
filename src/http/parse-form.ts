import type { JsonObject, JsonValue } from "@bufbuild/protobuf";
import { SluiceError } from "../domain/errors.ts";

const pairsMax = 1000;

/**
 * The fields of an `application/x-www-form-urlencoded` text: an object of texts, and of lists of texts for names that
 * are there twice. One level of brackets is understood: `a[b]=c` is an object in `a`, `a[]=b` a list.
 *
 * Throws TOO_LARGE for more than 1,000 pairs; MALFORMED for percent-encoding that is broken or no UTF-8, for brackets in
 * brackets, and for a name that is used in more than one of these ways.
 *
 * @example parseForm("id=1&tags[]=a&metadata[color]=blue") // { id: "1", tags: ["a"], metadata: { color: "blue" } }
 */
export function parseForm(text: string): JsonObject {
  const pairs = text.split("&", pairsMax + 1);
  if (pairs.length > pairsMax) throw new SluiceError("TOO_LARGE", `the form has more than ${pairsMax} fields`);
  const fields = new Map<string, Field>();
  for (const pair of pairs) if (pair !== "") addPair(fields, pair);
  return toObject(fields, toJson);
}

type Field =
  | { readonly kind: "text" | "list"; readonly texts: string[] }
  | { readonly kind: "object"; readonly entries: Map<string, string[]> };

function addPair(fields: Map<string, Field>, pair: string): void {
  const equals = pair.indexOf("=");
  const path = decode(equals === -1 ? pair : pair.slice(0, equals));
  const text = equals === -1 ? "" : decode(pair.slice(equals + 1));
  const { name, inner } = splitPath(path);
  const kind = inner === undefined ? "text" : inner === "" ? "list" : "object";
  const field = fields.get(name) ?? newField(kind);
  if (field.kind !== kind) throw new SluiceError("MALFORMED", "the form uses a name with brackets and otherwise");
  fields.set(name, field);
  if (field.kind !== "object") {
    field.texts.push(text);
    return;
  }
  const texts = field.entries.get(inner ?? "");
  if (texts === undefined) field.entries.set(inner ?? "", [text]);
  else texts.push(text);
}

/** `a[b]` is b in a. Brackets anywhere but around the end are a part of the name. */
function splitPath(path: string): { name: string; inner: string | undefined } {
  const open = path.indexOf("[");
  if (open < 1 || !path.endsWith("]")) return { name: path, inner: undefined };
  const inner = path.slice(open + 1, -1);
  if (/[[\]]/.test(inner))
    throw new SluiceError("MALFORMED", "the form has brackets in brackets; one level is supported");
  return { name: path.slice(0, open), inner };
}

function newField(kind: Field["kind"]): Field {
  return kind === "object" ? { kind, entries: new Map() } : { kind, texts: [] };
}

function decode(encoded: string): string {
  try {
    return decodeURIComponent(encoded.replaceAll("+", " "));
  } catch {
    throw new SluiceError("MALFORMED", "the form is not valid percent-encoding of UTF-8");
  }
}

function toJson(field: Field): JsonValue {
  if (field.kind === "object") return toObject(field.entries, oneOrList);
  return field.kind === "list" ? field.texts : oneOrList(field.texts);
}

function oneOrList(texts: string[]): JsonValue {
  const [first, ...others] = texts;
  return first === undefined || others.length > 0 ? texts : first;
}

/** `fromEntries` makes properties even of names such as `__proto__`. */
function toObject<T>(entries: ReadonlyMap<string, T>, convert: (value: T) => JsonValue): JsonObject {
  return Object.fromEntries([...entries].map(([name, value]) => [name, convert(value)]));
}
