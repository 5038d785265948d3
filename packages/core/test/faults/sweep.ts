import { parseArgs } from 'node:util'
import { formatProgress, formatReport, gradeLoop, isAsItShould, type LoopGrades, naiveLoop } from '@millrace/testing'
import { expectedOf } from './expected.ts'
import { millraceLoop } from './millrace-loop.ts'
import { isVariant, sweptCases, type Variant, variants } from './variants.ts'

/**
 * `pnpm faults`: every event and every byte, each fault, once, twice and for ever, for consumers that can withdraw text
 * and for those that cannot, with and without a legacy loop; and the loop that most teams have, as the baseline.
 */
const { values } = parseArgs({
  options: {
    /** Only this variant. Default: all four. */
    variant: { type: 'string' },
    /** Only cases whose id contains this. */
    match: { type: 'string', default: '' },
    /** Only each n-th case. */
    every: { type: 'string', default: '1' },
    /** Each fault of the transport at each byte, instead of one in turn: about 360,000 cases instead of 200,000. */
    'each-byte': { type: 'boolean', default: false },
    concurrency: { type: 'string', default: '48' },
  },
})

const chosen = Object.keys(variants)
  .filter(isVariant)
  .filter((name) => values.variant === undefined || name === values.variant)
const every = Number(values.every)

function showProgress(name: string): (done: number, total: number, failing: number) => void {
  return (done, total, failing) => {
    const line = `${name}: ${formatProgress(done, total, failing)}`
    if (process.stderr.isTTY) process.stderr.write(`\r${line}${done === total ? '\n' : ''}`)
    else if (done % 2_000 === 0 || done === total) process.stderr.write(`${line}\n`)
  }
}

async function sweep(variant: Variant): Promise<LoopGrades> {
  const { consumer, useLegacy } = variants[variant]
  const cases = sweptCases(variant, { eachByte: values['each-byte'] }).filter(
    ({ id }, index) => index % every === 0 && id.includes(values.match),
  )
  const progress = showProgress(`millrace, ${variant}`)
  let failing = 0
  return gradeLoop({
    name: `millrace, ${variant}`,
    loop: millraceLoop(consumer),
    cases,
    useLegacy,
    expected: expectedOf(variant),
    concurrency: Number(values.concurrency),
    caseTimeout: 300_000,
    onProgress(done, total, result) {
      if (!isAsItShould(result)) failing++
      progress(done, total, failing)
    },
  })
}

const grades: LoopGrades[] = []
for (const variant of chosen) grades.push(await sweep(variant))
const wrong = grades.some(
  ({ results, residue }) => results.length === 0 || residue.length > 0 || !results.every(isAsItShould),
)
const sampled = sweptCases('legacy').filter((_, index) => index % 50 === 0)
grades.push(await gradeLoop({ name: 'naive (baseline)', loop: naiveLoop, cases: sampled, caseTimeout: 5_000 }))
process.stdout.write(formatReport(grades))
process.exitCode = wrong ? 1 : 0
