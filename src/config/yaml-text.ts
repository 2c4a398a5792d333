import { isUtf8 } from "node:buffer";
import type { Document } from "yaml";
import { isAlias, isNode, isPair, isScalar, LineCounter, parseDocument, visit, type YAMLError } from "yaml";
import { StartError } from "../domain/start-error.ts";

/** The text of a YAML file, without a byte order mark. Throws StartError, with the place, when it is not UTF-8. */
export function decodeYaml(bytes: Buffer, source: string): string {
  const isUtf16 = /^(fffe|feff|00|..00)/.test(bytes.toString("hex", 0, 2));
  if (isUtf16) throw new StartError(`${source}: is UTF-16; it must be UTF-8`);
  if (isUtf8(bytes)) return new TextDecoder().decode(bytes);
  let line = 1;
  for (let start = 0, end = 0; end !== -1; start = end + 1, line++) {
    end = bytes.indexOf("\n", start);
    if (!isUtf8(bytes.subarray(start, end === -1 ? bytes.length : end))) break;
  }
  throw new StartError(`${source}:${line}: a character that is not UTF-8; the file must be UTF-8`);
}

/** Something that is wrong at a place, which is an offset in the text. */
interface Fault {
  readonly offset: number;
  readonly text: string;
}

/** The value of a YAML text. Throws StartError, with a line for each fault: where it is, and never what is written there. */
export function parseYaml(text: string, source: string): unknown {
  const counter = new LineCounter();
  try {
    const document = parseDocument(text, {
      lineCounter: counter,
      logLevel: "error",
      prettyErrors: false,
      stringKeys: true,
      version: "1.2",
    });
    // A tag that is not known is a warning only, and its value then a text.
    const faults = [...document.errors, ...document.warnings].map((error) => toFault(error, text));
    if (faults.length === 0) faults.push(...findNodeFaults(document));
    if (faults.length === 0) return document.toJS({ maxAliasCount: 100 });
    const lines = faults.map((fault) => `${source}:${toPlace(fault)}: ${fault.text}`);
    throw new StartError([...new Set(lines)].join("\n"));
  } catch (error) {
    if (error instanceof StartError) throw error;
    // Aliases of lists of aliases are a ReferenceError, brackets in brackets until the stack is full a RangeError.
    throw new StartError(
      error instanceof ReferenceError
        ? `${source}:${toPlace({ offset: text.indexOf("*") })}: aliases, from here on, that stand for too much; write out what they stand for`
        : `${source}: has more lists or mappings in each other than can be read`,
    );
  }

  function toPlace({ offset }: Pick<Fault, "offset">): string {
    const { line, col } = counter.linePos(offset);
    return `${line}:${col}`;
  }
}

/** What the parser lets pass, and we do not. */
function findNodeFaults(document: Document): Fault[] {
  const faults: Fault[] = [];
  const anchors = new Set<string>();
  visit(document, (_, node) => {
    if (isPair(node) && isScalar(node.key) && node.key.value === "<<") {
      const offset = node.key.range?.[0] ?? 0;
      faults.push({ offset, text: "<< merges nothing here; write the fields out, or an alias for the value of each" });
    } else if (isAlias(node) && !anchors.has(node.source)) {
      const offset = node.range?.[0] ?? 0;
      faults.push({ offset, text: "an alias that stands for nothing; its anchor must be above it" });
    } else if (isNode(node) && "anchor" in node && node.anchor !== undefined) anchors.add(node.anchor);
  });
  return faults;
}

const texts: Partial<Record<YAMLError["code"], string>> = {
  BAD_DIRECTIVE: "a directive that is not known",
  BAD_DQ_ESCAPE: "an escape sequence that is not known",
  BLOCK_AS_IMPLICIT_KEY: "a second colon, or a line that is indented too far; a text with a colon must be in quotes",
  MULTILINE_IMPLICIT_KEY: "the name of a field over several lines, or without a colon",
  MULTIPLE_DOCS: "a second document (after --- or ...); the file must be one",
  NON_STRING_KEY: "the name of a field that is not a text",
  RESOURCE_EXHAUSTION: "more lists or mappings in each other than can be read",
  TAG_RESOLVE_FAILED: "a tag that is not known",
};

/** What the parser says, without what it quotes: somebody may have pasted a key there. */
function toFault({ code, message, pos: [offset] }: YAMLError, text: string): Fault {
  if (code === "DUPLICATE_KEY") return { offset, text: `${nameAt(text, offset)} twice; it must be there once` };
  return { offset, text: texts[code] ?? message.replace(/: .*$/s, "") };
}

/** The name of a field, if it is too short for a key. */
function nameAt(text: string, offset: number): string {
  const [, name] = /^["']?([\w-]{1,15})["']?\s*:/.exec(text.slice(offset, offset + 40)) ?? [];
  return name === undefined ? "a field" : `the field ${name}`;
}
