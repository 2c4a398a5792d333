import { create } from "@bufbuild/protobuf";
import { timestampFromMs } from "@bufbuild/protobuf/wkt";
import { type Command, CommanderError } from "commander";
import { describe, expect, it, vi } from "vitest";
import { EventFilterSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { createProgram } from "../../src/cli/program.ts";

async function run(...args: string[]) {
  const commands = {
    serve: vi.fn(async () => 0),
    importEvents: vi.fn(async () => 3),
    listEvents: vi.fn(async () => 0),
    tailEvents: vi.fn(async () => 2),
    getEvents: vi.fn(async () => 0),
    showLimits: vi.fn(async () => 0),
    newKey: vi.fn(async () => 0),
    checkConfig: vi.fn(async () => 1),
  };
  const setExitCode = vi.fn();
  let output = "";
  const program = createProgram(commands, { setExitCode, nowMs: () => 3_600_000 });
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
    const listed = await run("list", "--name", "a", "--oldest-first", "--limit", "5", "--json", "--until", "30m");
    const tailed = await run("tail", "--value", "-1", "--after", "c1", "--limit", "5", "--since", "1m");

    expect(imported.importEvents).toHaveBeenCalledWith({ files: ["a.ndjson", "-"], repeat: 3, verbose: true });
    expect(imported.setExitCode).toHaveBeenCalledWith(3);
    expect(listed.listEvents).toHaveBeenCalledWith({
      filter: create(EventFilterSchema, { names: ["a"], receiveTimeUntil: timestampFromMs(1_800_000) }),
      oldestFirst: true,
      limit: 5,
      json: true,
    });
    expect(tailed.tailEvents).toHaveBeenCalledWith({
      filter: create(EventFilterSchema, { values: [-1], receiveTimeFrom: timestampFromMs(3_540_000) }),
      after: "c1",
      limit: 5,
    });
    expect(tailed.setExitCode).toHaveBeenCalledWith(2);
  });

  it("knows events to get by their ids, or one by its cursor", async () => {
    const byId = await run("get", "order-1", "--json");
    const several = await run("get", "order-1", "order-2");
    const byCursor = await run("get", "--cursor", "c1");
    const limits = await run("limits", "--json");

    const [first, second] = ["order-1", "order-2"].map((value) => ({ case: "id", value }));
    expect(byId.getEvents).toHaveBeenCalledWith({ events: [first], json: true });
    expect(several.getEvents).toHaveBeenCalledWith({ events: [first, second] });
    expect(byCursor.getEvents).toHaveBeenCalledWith({ events: [{ case: "cursor", value: "c1" }] });
    expect(limits.showLimits).toHaveBeenCalledWith({ json: true });
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
    [["list", "--since", "soon"], "It must be a duration back from now"],
    [["list", "--since", "1m", "--until", "2m"], "--since is after --until"],
    [["tail", "--until", "1h"], "unknown option '--until'"],
    [["tail", "--after", ""], "It must be a cursor, such as --json prints with each event."],
    [["get"], "name events by their ids, or one by --cursor"],
    [["get", "a", "--cursor", "b"], "name events by their ids, or one by --cursor"],
    [["get", "--cursor", "a", "--cursor", "b"], "One cursor can be given."],
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

  const names = ["serve", "import", "list", "tail", "get", "limits", "keys new", "config check"];
  it.each(names)("has help with examples for %s", async (name) => {
    const { failure, output } = await run(...name.split(" "), "--help");

    expect(failure?.exitCode).toBe(0);
    expect(output).toMatch(new RegExp(`Examples:\n(.*\n)*.*sluice ${name}`));
  });
});
