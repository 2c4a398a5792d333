import { CommanderError } from "commander";
import { describe, expect, it, vi } from "vitest";
import { createProgram } from "../../src/cli/program.ts";

async function run(...args: string[]) {
  const commands = {
    serve: vi.fn(async () => 0),
    importEvents: vi.fn(async () => 3),
    listEvents: vi.fn(async () => 0),
  };
  const setExitCode = vi.fn();
  let output = "";
  const program = createProgram(commands, setExitCode);
  for (const command of [program, ...program.commands]) {
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

describe("createProgram", () => {
  it("hands a command its options, and its exit code on", async () => {
    const imported = await run("import", "a.ndjson", "-", "--repeat", "3", "--verbose");
    const listed = await run("list", "--name", "a", "--name", "b", "--oldest-first", "--limit", "5", "--json");

    expect(imported.importEvents).toHaveBeenCalledWith({ files: ["a.ndjson", "-"], repeat: 3, verbose: true });
    expect(imported.setExitCode).toHaveBeenCalledWith(3);
    expect(listed.listEvents).toHaveBeenCalledWith({ names: ["a", "b"], oldestFirst: true, limit: 5, json: true });
  });

  it.each([
    [["import"], "missing required argument 'file'"],
    [["fetch"], "unknown command 'fetch'"],
    [["list", "--colour"], "unknown option '--colour'"],
    [["list", "extra"], "too many arguments"],
    [["list", "--limit", "-1"], "It must be a whole number from 1 on."],
    [["list", "--page-size", "1001"], "It must be 1000 at most."],
    [["import", "--repeat", "1.5", "x"], "It must be a whole number from 1 on."],
  ])("refuses %j", async (args, expected) => {
    const { failure, output } = await run(...args);

    expect(failure?.exitCode).toBe(1);
    expect(output).toContain(expected);
  });

  it.each(["serve", "import", "list"])("has help with examples for %s", async (name) => {
    const { failure, output } = await run(name, "--help");

    expect(failure?.exitCode).toBe(0);
    expect(output).toMatch(new RegExp(`Examples:\n(.*\n)*.*sluice ${name}`));
  });
});
