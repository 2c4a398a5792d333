import type { Dialect } from "./dialect.ts";
import { bloomreach } from "./dialects/bloomreach.ts";
import { dx } from "./dialects/dx.ts";
import { oppizi } from "./dialects/oppizi.ts";
import { split } from "./dialects/split.ts";

/** The vendors' APIs that are served on :8080. A new one is added here. */
export const dialects: readonly Dialect[] = [split, dx, bloomreach, oppizi];
