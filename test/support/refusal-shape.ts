import { z } from "zod";
import type { ReceivedAnswer } from "./send-request.ts";

const failed = { success: z.literal(false) };

/** What a refusal looks like in each dialect, beside its status; an empty body is null. */
const shapes: Readonly<Record<string, (status: number) => z.ZodType>> = {
  split: (status) =>
    status === 401 ? z.null() : z.looseObject({ code: z.literal(status), message: z.string().min(1) }),
  dx: () => z.strictObject({ ok: z.literal(false), error: z.string().regex(/^[a-z_]+$/), message: z.string().min(1) }),
  bloomreach: () =>
    z.union([
      z.strictObject({ ...failed, errors: z.array(z.string().min(1)).min(1) }),
      z.strictObject({ ...failed, error: z.string().min(1) }),
      z.strictObject({ ...failed, message: z.string().min(1) }),
    ]),
  oppizi: () => z.strictObject({ ...failed, error: z.string().min(1) }),
};

/** Why a refusal is not in its vendor's shape; undefined when it is. */
export function findShapeFault(entrance: string, { status, headers, body }: ReceivedAnswer): string | undefined {
  const shape = shapes[entrance];
  if (shape === undefined) return `there is no shape for ${entrance}`;
  const type = body === "" ? undefined : "application/json; charset=utf-8";
  if (headers["content-type"] !== type) return `it is ${headers["content-type"]}`;
  const { error } = shape(status).safeParse(body === "" ? null : JSON.parse(body));
  return error?.message;
}
