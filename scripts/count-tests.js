// Says which tests failed in runs of vitest, and why, and prints "N passed, N failed" for the run that did worst. Reads the
// JSON reports whose files it is given. Plain JavaScript: CI may run it on any Node.
import { readFileSync } from "node:fs";

const runs = process.argv.slice(2).flatMap(readRun);
if (runs.length === 0) {
  console.log("ci: vitest left no report");
  process.exit(1);
}
for (const { failures } of runs) for (const failure of failures) console.log(failure);
const [worst] = runs.sort((a, b) => b.failures.length - a.failures.length);
console.log(`${worst.passed} passed, ${worst.failures.length} failed`);

/** One run, or none when it did not come to its report. */
function readRun(path) {
  const report = readReport(path);
  if (report === undefined) return [];
  const failures = report.testResults.flatMap((file) => {
    const failed = file.assertionResults.filter((test) => test.status === "failed");
    // A file that fails with no failed test in it could not be loaded; vitest counts its tests as nothing at all.
    if (failed.length === 0 && file.status === "failed") return [`ci: ${file.name} failed: ${file.message}`];
    return failed.map((test) => `ci: ${file.name}: ${test.fullName} failed: ${test.failureMessages.join("\n")}`);
  });
  // An error that nothing caught fails a run, too.
  if (!report.success && failures.length === 0) failures.push(`ci: ${path}: vitest failed, but none of its tests`);
  return [{ passed: report.numPassedTests, failures }];
}

function readReport(path) {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}
