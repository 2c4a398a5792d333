import { describe } from "vitest";
import { diskFull, memoryFull } from "./full-scenarios.ts";
import { testScenario } from "./test-scenario.ts";

describe("a Redis that is full", () => {
  testScenario(memoryFull);
  testScenario(diskFull);
});
