import { LineCounter, parseDocument, type YAMLError } from "yaml";
import { StartError } from "../domain/start-error.ts";

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
    const faults = [...document.errors, ...document.warnings];
    if (faults.length === 0) return document.toJS({ maxAliasCount: 100 });
    const lines = faults.map((fault) => `${source}:${toPlace(fault)}: ${describe(fault)}`);
    throw new StartError([...new Set(lines)].join("\n"));
  } catch (error) {
    if (error instanceof StartError) throw error;
    // Brackets in brackets until the stack is full are a RangeError.
    const isAlias = error instanceof ReferenceError;
    throw new StartError(
      `${source}: ${isAlias ? "an alias stands for nothing, or for too much" : "cannot be read as YAML"}`,
    );
  }

  function toPlace({ pos }: YAMLError): string {
    const { line, col } = counter.linePos(pos[0]);
    return `${line}:${col}`;
  }
}

const texts: Partial<Record<YAMLError["code"], string>> = {
  BAD_DIRECTIVE: "a directive that is not known",
  BAD_DQ_ESCAPE: "an escape sequence that is not known",
  TAG_RESOLVE_FAILED: "a tag that is not known",
};

/** What the parser says, without what it quotes: somebody may have pasted a key there. */
function describe({ code, message }: YAMLError): string {
  return texts[code] ?? message.replace(/: .*$/s, "");
}
