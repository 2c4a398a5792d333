// Prints "N passed, N failed" from the JSON summary of a vitest run. Plain JavaScript: CI may run it on any Node.
import { readFileSync } from "node:fs";

const report = JSON.parse(readFileSync(process.argv[2], "utf8"));

// A file that fails with no failed test in it could not be loaded; vitest counts its tests as nothing at all.
const unloaded = report.testResults.filter(
  (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
);
console.log(`${report.numPassedTests} passed, ${report.numFailedTests + unloaded.length} failed`);
