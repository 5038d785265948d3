import { expectedEnd } from '@millrace/faults/under-client'
import { faultMatrix, gradeLoop, isAsItShould } from '@millrace/testing'
import { parseArgs } from 'node:util'
import { loopOf, peers } from './peers.ts'

/**
 * `pnpm faults-peers`: clients as they are, and with `createFetch` under them, through the same sample of the fault matrix.
 * Prints the table of docs/guides/under-your-client.md.
 */
const { values } = parseArgs({
  options: {
    /** How many cases each is run through. */
    sample: { type: 'string', default: '100' },
    seed: { type: 'string', default: '1' },
    /** Only clients whose name contains this. */
    client: { type: 'string', default: '' },
    /** Prints each case that does not end as it should. */
    failing: { type: 'boolean', default: false },
    timeout: { type: 'string', default: '15000' },
  },
})

const cases = faultMatrix({ seed: Number(values.seed), sample: Number(values.sample) })
const names = ['SDK loop', ...Object.keys(peers)].filter((name) => name.includes(values.client))
const columns = ['as it should', 'tool twice', 'text wrong', 'history refused', 'hung'] as const
console.log(`| client | | ${columns.join(' | ')} |\n|---|---|${columns.map(() => '---|').join('')}`)
for (const name of names) {
  for (const recovered of [false, true]) {
    const { results } = await gradeLoop({
      name,
      loop: loopOf(name, recovered),
      cases,
      expected: expectedEnd,
      concurrency: 16,
      caseTimeout: Number(values.timeout),
    })
    const count = (column: 'exactlyOnce' | 'exactText' | 'history' | 'noHang'): number =>
      results.filter(({ findings }) => findings[column] !== undefined).length
    const figures = [
      results.filter(isAsItShould).length,
      results.filter(({ findings }) => / ran \d+ times/.test(findings.exactlyOnce ?? '')).length,
      count('exactText'),
      count('history'),
      count('noHang'),
    ]
    console.log(`| ${name} | ${recovered ? 'with `createFetch`' : 'bare'} | ${figures.join(' | ')} |`)
    if (!values.failing) continue
    for (const result of results) if (!isAsItShould(result)) console.log(result.id, result.findings)
  }
}
// A client that hangs may leave a socket behind, and this process is done.
process.exit()
