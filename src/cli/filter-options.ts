import type { MessageInitShape } from "@bufbuild/protobuf";
import { create } from "@bufbuild/protobuf";
import { timestampFromMs, type ValueSchema } from "@bufbuild/protobuf/wkt";
import type { Command } from "commander";
import { InvalidArgumentError } from "commander";
import type { EventFilter } from "../../gen/sluice/v1/event_service_pb.ts";
import { EventFilterSchema } from "../../gen/sluice/v1/event_service_pb.ts";
import { environmentExpectation, isEnvironment } from "../domain/configured-name.ts";
import { parseTime } from "./parse-time.ts";

interface FilterOptions {
  readonly name?: string[];
  readonly identity?: { readonly kind: string; readonly id: string };
  readonly environment?: string;
  readonly value?: number[];
  readonly valueMin?: number;
  readonly valueMax?: number;
  readonly property?: ReadonlyMap<string, string>;
  /** Milliseconds since 1970, as `until`. */
  readonly since?: number;
  readonly until?: number;
  readonly includeTest?: boolean;
}

/**
 * Gives a command the options that say which events it is about; a tail has no `--until`. What they cannot be is an
 * InvalidArgumentError; how many and how long they may be, the server says. `nowMs` tells the time since 1970.
 */
export function addFilterOptions(command: Command, nowMs: () => number, { isTail = false } = {}): Command {
  const parseMoment = (text: string) => {
    const time = parseTime(text, nowMs());
    if ("fault" in time) throw new InvalidArgumentError(time.fault);
    return time.ms;
  };
  command
    .optionsGroup("Which events (all that is given has to match):")
    .option("--name <name>", "of this name; given several times, of any of them", collectName)
    .option("--identity <kind=id>", "of this identity, such as visitor=v1", parseIdentity)
    .option("--environment <name>", "of this environment", parseEnvironment)
    .option("--value <number>", "with this value; given several times, with any of them", collectNumber)
    .option("--value-min <number>", "with this value or more", parseNumber)
    .option("--value-max <number>", "with this value or less", parseNumber)
    .option(
      "--property <key=text>",
      "with this property, such as status=404; may be given several times",
      collectProperty,
    )
    .option("--since <time>", "received since then: 90s, 1h30m or 7d back from now, or 2026-01-31T08:00", parseMoment);
  if (!isTail) command.option("--until <time>", "received before then, given as for --since", parseMoment);
  return command.option("--include-test", "test events too");
}

/** The filter that a command's options describe. Ends the command with an error where they contradict each other. */
export function readFilter(command: Command): EventFilter {
  const options = command.opts<FilterOptions>();
  const { valueMin, valueMax, since, until } = options;
  if (isAbove(valueMin, valueMax)) command.error("error: --value-min is above --value-max");
  if (isAbove(since, until)) command.error("error: --since is after --until");
  return create(EventFilterSchema, {
    names: options.name ?? [],
    identity: options.identity,
    environment: options.environment ?? "",
    values: options.value ?? [],
    valueMin,
    valueMax,
    properties: toProperties(options.property ?? new Map()),
    receiveTimeFrom: since === undefined ? undefined : timestampFromMs(since),
    receiveTimeUntil: until === undefined ? undefined : timestampFromMs(until),
    includeTest: options.includeTest ?? false,
  });
}

function toProperties(texts: ReadonlyMap<string, string>): Record<string, MessageInitShape<typeof ValueSchema>> {
  return Object.fromEntries(Array.from(texts, ([key, value]) => [key, { kind: { case: "stringValue", value } }]));
}

function isAbove(least: number | undefined, most: number | undefined): boolean {
  return least !== undefined && most !== undefined && least > most;
}

function collectName(text: string, before: readonly string[] = []): string[] {
  if (text === "") throw new InvalidArgumentError("It must not be empty: every event has a name.");
  return [...before, text];
}

function collectNumber(text: string, before: readonly number[] = []): number[] {
  return [...before, parseNumber(text)];
}

function collectProperty(text: string, before: ReadonlyMap<string, string> = new Map()): Map<string, string> {
  const pair = splitPair(text);
  if (pair === undefined) throw new InvalidArgumentError("It must be a property and its value, such as status=404.");
  const [key, value] = pair;
  // An event cannot have two values of a property, and one of them would be left out without a word.
  if (before.has(key)) throw new InvalidArgumentError("A property can be given once.");
  return new Map(before).set(key, value);
}

function parseIdentity(text: string, before?: unknown): FilterOptions["identity"] {
  const [kind, id] = splitPair(text) ?? [];
  if (!kind || !id) throw new InvalidArgumentError("It must be a kind and an identity, such as visitor=v1.");
  if (before !== undefined) throw new InvalidArgumentError("One identity can be given.");
  return { kind, id };
}

/** Around the first `=`; undefined when there is none, or nothing in front of it. */
function splitPair(text: string): [string, string] | undefined {
  const at = text.indexOf("=");
  return at < 1 ? undefined : [text.slice(0, at), text.slice(at + 1)];
}

function parseEnvironment(text: string): string {
  if (isEnvironment(text)) return text;
  throw new InvalidArgumentError(`It must be ${environmentExpectation}.`);
}

function parseNumber(text: string): number {
  const number = Number(text);
  // Number() reads an empty text as 0, and hexadecimal digits.
  if (/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(number)) return number;
  throw new InvalidArgumentError("It must be a number, such as 42, -0.5 or 1e6.");
}
