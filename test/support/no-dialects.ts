import { createAccess } from "../../src/domain/access.ts";
import type { HttpServerOptions } from "../../src/http/app.ts";

/** Of a server that speaks no dialect. */
export const noDialects: HttpServerOptions["dialects"] = {
  dialects: [],
  services() {
    throw new Error("there are none");
  },
  access: createAccess(() => new Map()),
  callLog: { record() {}, countOutcomes() {}, stop() {} },
  clock: { nowMs: () => 0 },
};
