import { type Command, CommanderError } from "commander";
import { describe, expect, it, vi } from "vitest";
import { createProgram } from "../../src/cli/program.ts";

async function run(...args: string[]) {
  const commands = {
    serve: vi.fn(async () => 0),
    importEvents: vi.fn(async () => 3),
    listEvents: vi.fn(async () => 0),
    newKey: vi.fn(async () => 0),
    checkConfig: vi.fn(async () => 1),
  };
  const setExitCode = vi.fn();
  let output = "";
  const program = createProgram(commands, setExitCode);
  for (const command of withSubcommands(program)) {
    const write = (text: string) => {
      output += text;
    };
    command.exitOverride().configureOutput({ writeErr: write, writeOut: write });
  }
  let failure: CommanderError | undefined;
  try {
    await program.parseAsync(args, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    failure = error;
  }
  return { ...commands, setExitCode, output, failure };
}

function withSubcommands(command: Command): Command[] {
  return [command, ...command.commands.flatMap(withSubcommands)];
}

const keysNew = (...args: string[]) => ["keys", "new", "--project", "shop", "--name", "checkout", ...args];

describe("createProgram", () => {
  it("hands a command its options, and its exit code on", async () => {
    const imported = await run("import", "a.ndjson", "-", "--repeat", "3", "--verbose");
    const listed = await run("list", "--name", "a", "--name", "b", "--oldest-first", "--limit", "5", "--json");

    expect(imported.importEvents).toHaveBeenCalledWith({ files: ["a.ndjson", "-"], repeat: 3, verbose: true });
    expect(imported.setExitCode).toHaveBeenCalledWith(3);
    expect(listed.listEvents).toHaveBeenCalledWith({ names: ["a", "b"], oldestFirst: true, limit: 5, json: true });
  });

  it("reads the lists of a new key, and the file to check", async () => {
    const made = await run(...keysNew("--permissions", "list,track", "--environments", "production,test lab"));
    const checked = await run("config", "check", "other.yaml");

    expect(made.newKey).toHaveBeenCalledWith({
      project: "shop",
      name: "checkout",
      permissions: ["track", "list"],
      environments: ["production", "test lab"],
    });
    expect(checked.checkConfig).toHaveBeenCalledWith("other.yaml");
    expect(checked.setExitCode).toHaveBeenCalledWith(1);
  });

  it.each([
    [["import"], "missing required argument 'file'"],
    [["fetch"], "unknown command 'fetch'"],
    [["list", "--colour"], "unknown option '--colour'"],
    [["list", "extra"], "too many arguments"],
    [["list", "--limit", "-1"], "It must be a whole number from 1 on."],
    [["list", "--page-size", "1001"], "It must be 1000 at most."],
    [["import", "--repeat", "1.5", "x"], "It must be a whole number from 1 on."],
    [["keys", "new", "--name", "a", "--permissions", "track"], "required option '--project <name>' not specified"],
    [["keys", "new", "--project", "{shop}"], "It must be 1 to 64 of a-z, 0-9, _ and -"],
    [keysNew("--permissions", "track,write"), "It must be some of track,list, each once."],
    [keysNew("--permissions", "track,track"), "It must be some of track,list, each once."],
    [keysNew("--permissions", ""), "It must be some of track,list, each once."],
    [keysNew("--environments", "a,,b"), "Each must be 1 to 64 characters"],
    [keysNew("--environments", "a,a"), "and named once"],
    [["config", "check", "a", "b"], "too many arguments"],
  ])("refuses %j", async (args, expected) => {
    const { failure, output } = await run(...args);

    expect(failure?.exitCode).toBe(1);
    expect(output).toContain(expected);
  });

  it.each(["serve", "import", "list", "keys new", "config check"])("has help with examples for %s", async (name) => {
    const { failure, output } = await run(...name.split(" "), "--help");

    expect(failure?.exitCode).toBe(0);
    expect(output).toMatch(new RegExp(`Examples:\n(.*\n)*.*sluice ${name}`));
  });
});
