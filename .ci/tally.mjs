// Reads vitest's JSON report and prints the closing line of .ci/run:
//   node .ci/tally.mjs <report> <broken steps> <exit code of the test run>
import { readFileSync, rmSync } from 'node:fs'

const [path, broken, exit] = [process.argv[2], Number(process.argv[3]), Number(process.argv[4])]
let [passed, failed, skipped] = [0, broken, 0]
try {
  const files = JSON.parse(readFileSync(path, 'utf8')).testResults
  for (const file of files) {
    for (const test of file.assertionResults) {
      if (test.status === 'passed') passed++
      else if (test.status === 'failed') failed++
      else skipped++
    }
    const unloaded = file.status === 'failed' && !file.assertionResults.some(isFailed)
    if (unloaded) failed++
  }
} catch {
  // No report: the run never came so far, and `exit` says so below.
}
if (exit !== 0 && failed === 0) failed++
if (passed === 0 && failed === 0) failed++ // a run without a single test proves nothing
rmSync(path, { force: true })
console.log(`\n${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`)
process.exit(failed > 0 ? 1 : 0)

function isFailed(test) {
  return test.status === 'failed'
}
