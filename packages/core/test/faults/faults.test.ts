import { sized } from '@millrace/config/sized'
import { formatReport, gradeLoop, isAsItShould, naiveLoop } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { expectedOf, table } from './expected.ts'
import { millraceLoop } from './millrace-loop.ts'
import { isVariant, sweptCases, variants } from './variants.ts'

/** How many cases each variant grades, of the tens of thousands that `pnpm faults` sweeps. */
const sample = sized({ quick: 40, long: 250 })

const names = Object.keys(variants).filter(isVariant)

describe('every case of a sample of the fault matrix ends as it should', () => {
  it.each(names)('%s', async (variant) => {
    // What these two take away of what had arrived differs, and with it what can be known of an MCP call.
    const all = sweptCases(variant).filter(
      ({ kind, layout }) => layout !== 'mcp-connector' || (kind !== 'reset' && kind !== 'break-chunk'),
    )
    const step = Math.floor(all.length / sample)
    const cases = all.filter((_, index) => index % step === 0)
    const { consumer, useLegacy } = variants[variant]
    const grades = await gradeLoop({
      name: variant,
      loop: millraceLoop(consumer),
      cases,
      useLegacy,
      expected: expectedOf(variant),
      concurrency: 16,
      caseTimeout: 60_000,
    })
    expect(grades.results).toHaveLength(cases.length)
    expect(
      grades.results.filter((result) => !isAsItShould(result)),
      formatReport([grades]),
    ).toEqual([])
    expect(grades.residue).toEqual([])
  })
})

it('the loop that catches and reruns fails the same cases, by running a tool twice', async () => {
  const all = sweptCases('legacy')
  const cases = all.filter((_, index) => index % Math.floor(all.length / sized({ quick: 30, long: 100 })) === 0)
  const { results } = await gradeLoop({ name: 'naive', loop: naiveLoop, cases, caseTimeout: 5_000 })
  expect(results.filter(({ findings }) => findings.exactlyOnce !== undefined).length).toBeGreaterThan(0)
})

it('has no line in the table of expected ends that fits no case', () => {
  const faults = new Set(sweptCases('events').map(({ id }) => id.split('/')[2] ?? ''))
  expect(table.filter(({ fault }) => ![...faults].some((each) => fault.test(each)))).toEqual([])
})
