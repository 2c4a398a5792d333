/**
 * What is wrong with JSON, in words that quote none of its values: errors of decoders do. Names are those of the contract,
 * but for that of a field that it does not have.
 */
export function toJsonFault(thrown: unknown): string {
  if (!(thrown instanceof Error)) return `it ${isUnlike}`;
  if (thrown instanceof SyntaxError || thrown.cause instanceof SyntaxError) return "it is not valid JSON";
  if ("code" in thrown && thrown.code === "ERR_ENCODING_INVALID_ENCODED_DATA") return "it is not valid UTF-8";
  const [, kind, name, what = ""] = decoderText.exec(thrown.message) ?? [];
  if (name === undefined) return `it ${isUnlike}`;
  if (/^maximum recursion depth of \d+ reached$/.test(what)) return "it is nested too deep";
  switch (kind) {
    case "enum":
      return `its ${name} is none that is known`;
    case "oneof":
      return toOneofFault(what);
    case "field":
      return `${name} ${toFieldFault(what)}`;
    default:
      return toMessageFault(name, what);
  }
}

const isUnlike = "is not what it must be";

/** The kind of thing that a decoder stopped at, its name without the package, and what the decoder says of it. */
const decoderText = /^cannot decode (?:([a-z]+) )?(?:[a-z]\w*\.)*([A-Z]\w*(?:\.\w+)*) from JSON:? (.*)$/s;

function toOneofFault(what: string): string {
  const [, one, other] = /^oneof set multiple times by (\w+) and (\w+)$/.exec(what) ?? [];
  return one === undefined ? `it ${isUnlike}` : `it has both ${one} and ${other}, of which one may be set`;
}

/** Types as decoders call them. */
const typeNames: ReadonlyMap<string | undefined, string> = new Map([
  ["string", "text"],
  ["boolean", "boolean"],
  ["number (float64)", "number"],
  ["number (int32)", "whole number"],
  ["Array", "list"],
  ["object", "object"],
]);

function toFieldFault(what: string): string {
  if (what === "set multiple times") return "is there twice";
  if (what.endsWith(": invalid UTF8")) return "is not valid Unicode";
  const [, item, type] = /^(list item #\d+: |map entry .*: )?expected ([^,]+), got /s.exec(what) ?? [];
  const typeName = typeNames.get(type);
  if (typeName === undefined) return isUnlike;
  return item === undefined ? `is no ${typeName}` : `has an item that is no ${typeName}`;
}

function toMessageFault(name: string, what: string): string {
  if (name === "Timestamp") return "a time in it is not an RFC 3339 time such as 2026-01-01T00:00:00Z";
  if (what.startsWith("duplicate object key ")) return "a field or a map's key is there twice";
  const [, field] = /^key "(.*)" is unknown$/s.exec(what) ?? [];
  if (field === undefined) return `${name} is no object`;
  return `it has a field that ${name} does not have${isNameable(field) ? `: ${field}` : ""}`;
}

/** Whether it can be a misspelt field. Anything else may have come to the wrong place: keys of Sluice are longer. */
function isNameable(field: string): boolean {
  return /^[\w-]{1,32}$/.test(field);
}
