import { z } from "zod";
import { readFixtureFile } from "./read-fixture-file.ts";
import type { ReceivedAnswer } from "./send-request.ts";

const file = "refusals.schema.json";

const shapes = new Map<string, z.ZodType>();

/** Why a refusal is not in its vendor's shape, by the schema among its fixtures; undefined when it is. */
export function findShapeFault(entrance: string, { status, headers, body }: ReceivedAnswer): string | undefined {
  const type = body === "" ? undefined : "application/json; charset=utf-8";
  if (headers["content-type"] !== type) return `it is ${headers["content-type"]}`;
  const name = `${entrance} ${status}`;
  const shape = shapes.get(name) ?? readShape(entrance, status);
  if (shape === undefined) return `there is no ${file} for ${entrance}`;
  shapes.set(name, shape);
  return shape.safeParse(body === "" ? null : JSON.parse(body)).error?.message;
}

function readShape(entrance: string, status: number): z.ZodType | undefined {
  const text = readFixtureFile(entrance, file);
  if (text === undefined) return undefined;
  const schemas = JSON.parse(text.replaceAll('"<status>"', String(status)));
  return z.fromJSONSchema(schemas[status] ?? schemas.default);
}
