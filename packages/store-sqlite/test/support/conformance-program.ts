import { conformanceCases } from './conformance-cases.ts'

// The suites outside of a test runner, for a Node that runs none. It says what failed, and how many cases there were.
const failures: string[] = []
let cases = 0
for (const [store, suite] of Object.entries(conformanceCases)) {
  for (const { name, run } of suite) {
    cases++
    await run().catch((error: unknown) => failures.push(`${store}: ${name}: ${String(error)}`))
  }
}
console.log(JSON.stringify({ version: process.versions.node, cases, failures }))
