import { existsSync, globSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { describe, expect, it } from "vitest";

const documents = ["README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", ...globSync("docs/*.md")];

/** The text of a document without its blocks of code. */
function readProse(path: string): string {
  return readFileSync(path, "utf8").replace(/^```.*?^```$/gms, "");
}

/** The anchors of a document's headings, as GitHub makes them. */
function anchorsOf(path: string): string[] {
  return [...readProse(path).matchAll(/^#+ (.*)$/gm)].map(([, title = ""]) =>
    title
      .toLowerCase()
      .replace(/[^\p{L}\p{N} _-]/gu, "")
      .replaceAll(" ", "-"),
  );
}

/** Why a relative link of a document leads nowhere. */
function findLinkFaults(document: string): string[] {
  const links = [...readProse(document).matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = ""]) => target);
  return links
    .filter((target) => !/^[a-z]+:/.test(target))
    .flatMap((target) => {
      const [file = "", anchor] = target.split("#");
      const path = file === "" ? document : join(dirname(document), file);
      if (!existsSync(path)) return [`${target}: no such file`];
      return anchor === undefined || anchorsOf(path).includes(anchor) ? [] : [`${target}: no such heading`];
    });
}

/** The paths of tests and documents that it names, but for those that do not exist. */
function findMissingPaths(document: string): string[] {
  const named = [...readFileSync(document, "utf8").matchAll(/\b(?:test|docs)\/[\w./-]*\w/g)].map(([path]) => path);
  return named.filter((path) => !existsSync(path));
}

describe.each(documents)("%s", (document) => {
  it("names no test or document that does not exist", () => {
    expect(findMissingPaths(document)).toEqual([]);
  });

  it("links to files and headings that are there", () => {
    expect(findLinkFaults(document)).toEqual([]);
  });
});
