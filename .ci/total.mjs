/**
 * Adds up the reports in a folder and prints "N passed, N failed, N skipped" as its last line.
 * Reads vitest's JSON (`*.json`), JUnit XML (`*.xml`) and `failed-steps`: a step's name and its report, if any, a line.
 * Exits with 1 when anything failed or when no test ran.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** @typedef {{ passed: number, skipped: number, failures: string[] }} Report */

/** @returns {Report} */
function readVitest(text) {
  const { numPassedTests, numPendingTests, numTodoTests, testResults, success } = JSON.parse(text);
  const failures = testResults
    .flatMap(({ assertionResults }) => assertionResults)
    .filter(({ status }) => status === 'failed')
    .map(({ fullName }) => fullName);
  // An unhandled rejection or a setup that throws fails the run, but none of its tests.
  if (!success && failures.length === 0) failures.push('the run failed outside its tests');
  return { passed: numPassedTests, skipped: numPendingTests + numTodoTests, failures };
}

/** @returns {Report} */
function readJUnit(text) {
  const report = { passed: 0, skipped: 0, failures: [] };
  for (const [suite] of text.matchAll(/<testsuite\s[^>]*>/g)) {
    const count = (key) => Number(new RegExp(`\\s${key}="(\\d+)"`).exec(suite)?.[1] ?? 0);
    const failed = count('failures') + count('errors');
    report.passed += count('tests') - failed - count('skipped');
    report.skipped += count('skipped');
    for (let n = 1; n <= failed; n += 1) report.failures.push(`test ${n} of ${failed}`);
  }
  return report;
}

const [folder = '.'] = process.argv.slice(2);
const total = { passed: 0, failed: 0, skipped: 0 };
const failedReports = new Set();

for (const file of readdirSync(folder).sort()) {
  const read = file.endsWith('.json') ? readVitest : file.endsWith('.xml') ? readJUnit : undefined;
  if (read === undefined) continue;
  const { passed, skipped, failures } = read(readFileSync(join(folder, file), 'utf8'));
  total.passed += passed;
  total.skipped += skipped;
  total.failed += failures.length;
  if (failures.length > 0) failedReports.add(file);
  for (const failure of failures) console.log(`failed: ${file}: ${failure}`);
}

const failedSteps = join(folder, 'failed-steps');
for (const line of existsSync(failedSteps) ? readFileSync(failedSteps, 'utf8').trim().split('\n') : []) {
  const [name, report] = line.split('\t');
  if (failedReports.has(report)) continue;
  total.failed += 1;
  console.log(`failed: step ${name}`);
}

const { passed, failed, skipped } = total;
if (passed === 0) console.log('No test passed.');
console.log(`${passed} passed, ${failed} failed${skipped === 0 ? '' : `, ${skipped} skipped`}`);
process.exitCode = failed > 0 || passed === 0 ? 1 : 0;
