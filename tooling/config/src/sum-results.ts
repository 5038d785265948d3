import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { z } from 'zod'

const resultsSchema = z.object({
  numPassedTests: z.int(),
  numPendingTests: z.int(),
  numTodoTests: z.int(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.object({ status: z.string() })) })),
})

/** Tests over all packages. */
export interface Totals {
  passed: number
  /** Failed tests, and one for each file that failed without a failing test: it could not be loaded. */
  failed: number
  skipped: number
}

/** Adds up the JSON results that vitest wrote into `folder`. Throws if a file is not such a result. */
export function sumResults(folder: string): Totals {
  const totals: Totals = { passed: 0, failed: 0, skipped: 0 }
  for (const file of readdirSync(folder)) {
    const parsed = resultsSchema.safeParse(JSON.parse(readFileSync(join(folder, file), 'utf8')))
    if (!parsed.success) throw new Error(`${file} is not a vitest result: ${z.prettifyError(parsed.error)}`)
    totals.passed += parsed.data.numPassedTests
    totals.skipped += parsed.data.numPendingTests + parsed.data.numTodoTests
    for (const { status, assertionResults } of parsed.data.testResults) {
      const failed = assertionResults.filter((test) => test.status === 'failed').length
      totals.failed += status === 'failed' ? Math.max(1, failed) : failed
    }
  }
  return totals
}

/** Returns `12 passed, 0 failed`, with `, 3 skipped` if tests were skipped. */
export function formatTotals({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`
}
