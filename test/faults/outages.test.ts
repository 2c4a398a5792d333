import { describe } from "vitest";
import { pauseRedis } from "./crash-scenarios.ts";
import { badNetwork } from "./network-scenarios.ts";
import { tightQuota } from "./quota-scenario.ts";
import { testScenario } from "./test-scenario.ts";

describe("a Redis that is there and does not answer", () => {
  // Longer than a command may take, which is 2 s.
  testScenario(pauseRedis(2_500), 2_000);
  testScenario(badNetwork);
  testScenario(tightQuota);
});
