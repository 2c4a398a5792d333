import { describe } from "vitest";
import { killBoth, killRedis, killServer } from "./crash-scenarios.ts";
import { testScenario } from "./test-scenario.ts";

describe("processes that die", () => {
  testScenario(killRedis);
  testScenario(killServer);
  testScenario(killBoth);
});
