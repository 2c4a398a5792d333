import { randomBytes } from "node:crypto";
import type { Permission } from "../domain/access.ts";
import { digestKey } from "../domain/access.ts";
import { StartError } from "../domain/start-error.ts";
import type { ConfiguredProjects } from "./config-check.ts";
import { toPrintable } from "./printable.ts";

export interface NewKeyOptions {
  readonly project: string;
  readonly name: string;
  readonly permissions: readonly Permission[];
  /** Those that it is bound to. Default: none, so that it may use all of the project's. */
  readonly environments?: readonly string[] | undefined;
}

export interface NewKeyDeps {
  /** The projects that there are, to compare with; undefined when no file of them is known. Throws StartError. */
  readProjects(): Promise<ConfiguredProjects | undefined>;
  /** Resolves when it is printed. */
  print(text: string): Promise<void>;
  tell(line: string): void;
}

/**
 * Makes a key, and prints it with the line that lets it in. It is kept nowhere: the line holds its digest only. What the
 * file of projects has against the line is told, and no reason not to make it. Returns the exit code.
 */
export async function newKey(options: NewKeyOptions, { readProjects, print, tell }: NewKeyDeps): Promise<number> {
  const key = `sluice_${randomBytes(32).toString("base64url")}`;
  let file: ConfiguredProjects | undefined;
  try {
    file = await readProjects();
    for (const warning of file === undefined ? [] : compare(options, file)) tell(`sluice: ${warning}`);
  } catch (error) {
    if (!(error instanceof StartError)) throw error;
    tell(`${error.message.replaceAll(/^/gm, "sluice: ")}\nsluice: so the key was not compared with the projects`);
  }
  await print(`The key, which is not shown again:

  ${key}

Where it is used, it is the value of SLUICE_KEY, or of the header "authorization: Bearer ...".
To let it in, add this line to projects.${options.project}.keys in ${file?.path ?? "the file that SLUICE_CONFIG names"}:

      ${toLine(options, key)}
`);
  return 0;
}

function toLine({ name, permissions, environments = [] }: NewKeyOptions, key: string): string {
  const fields = [
    `name: ${quoteIfNeeded(name)}`,
    `secret: "sha256:${digestKey(key)}"`,
    `permissions: [${permissions.join(", ")}]`,
    ...(environments.length > 0 ? [`environments: [${environments.map(quoteIfNeeded).join(", ")}]`] : []),
  ];
  return `- { ${fields.join(", ")} }`;
}

/** What some reader of YAML takes for something else than a text. */
const otherWords = ["null", "true", "false", "yes", "no", "on", "off", "y", "n"];

/** JSON's texts are YAML's too. */
function quoteIfNeeded(word: string): string {
  const isPlain = /^[a-z][a-z0-9_-]*$/i.test(word) && !otherWords.includes(word.toLowerCase());
  return isPlain ? word : toPrintable(JSON.stringify(word));
}

function compare(
  { project: name, name: keyName, environments = [] }: NewKeyOptions,
  file: ConfiguredProjects,
): string[] {
  const project = file.projects.find((one) => one.name === name);
  if (project === undefined) return [`there is no project ${name} in ${file.path} yet`];
  const known = project.settings.environments;
  const foreign = environments.filter((one) => known.length > 0 && !known.includes(one));
  return [
    ...foreign.map((one) => `project ${name} has no environment ${quoteIfNeeded(one)} in ${file.path}`),
    ...(project.keys.some((key) => key.name === keyName)
      ? [`project ${name} has a key ${keyName} in ${file.path} already; two need two names`]
      : []),
  ];
}
