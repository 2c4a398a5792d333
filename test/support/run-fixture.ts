import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { projectDir, runCommand } from "./sluice-process.ts";

const folder = join(projectDir, "test/fixtures/dialects");

/** A sample request of a vendor's document; test/fixtures/dialects/README.md says how they are kept. */
export interface DialectFixture {
  /** Its folder's name. */
  readonly entrance: string;
  /** Without what its files' names end with. */
  readonly name: string;
  readonly path: string;
  /** All of its file. */
  readonly text: string;
  readonly expected: ExpectedAnswer;
}

/** What must come of a request. Events are in their JSON form. */
export interface ExpectedAnswer {
  readonly given?: readonly object[];
  readonly status: number;
  /** null: an empty body. */
  readonly reply: unknown;
  readonly events: readonly object[];
}

/** Where a request goes. */
export interface FixtureTarget {
  /** Without a slash at its end. */
  readonly url: string;
  readonly key: string;
  readonly project: string;
}

/** What came back. */
export interface FixtureAnswer {
  readonly status: number;
  /** null: an empty body. */
  readonly reply: unknown;
}

/** All sample requests, each with what is expected of it. */
export function readFixtures(): DialectFixture[] {
  const entrances = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isDirectory());
  return entrances.flatMap(({ name: entrance }) =>
    readdirSync(join(folder, entrance)).flatMap((file) => {
      const [, name] = /^(.+)\.(sh|js)$/.exec(file) ?? [];
      if (name === undefined) return [];
      const path = join(folder, entrance, file);
      const expected: ExpectedAnswer = JSON.parse(
        readFileSync(join(folder, entrance, `${name}.expected.json`), "utf8"),
      );
      return [{ entrance, name, path, text: readFileSync(path, "utf8"), expected }];
    }),
  );
}

/** Sends a sample request as it stands. Throws when it could not be sent. */
export async function runFixture({ path }: DialectFixture, target: FixtureTarget): Promise<FixtureAnswer> {
  const env = {
    PATH: String(process.env.PATH),
    CURL_HOME: folder,
    SLUICE_URL: target.url,
    SLUICE_KEY: target.key,
    SLUICE_PROJECT: target.project,
  };
  const { exitCode, stdout, stderr } = path.endsWith(".sh")
    ? await runCommand("sh", ["-eu", path], { env })
    : await runCommand(process.execPath, ["--import", join(import.meta.dirname, "print-fetch.ts"), path], { env });
  if (exitCode !== 0) throw new Error(`${path} ended with ${exitCode}: ${stdout}${stderr}`);
  const end = stdout.lastIndexOf("\n");
  const body = stdout.slice(0, end);
  return { status: Number(stdout.slice(end + 1)), reply: body === "" ? null : JSON.parse(body) };
}
