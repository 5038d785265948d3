import { sized, spread } from '@millrace/config/sized'
import { expectedEnd } from '@millrace/faults/under-client'
import { type FaultCase, faultMatrix, formatReport, gradeLoop, isAsItShould } from '@millrace/testing'
import { expect, it } from 'vitest'
import { recoveredSdkLoop } from '../support/recovered-sdk-loop.ts'

/**
 * Every event with each fault; each byte, with the faults of the transport in turn. A reset, and a chunk that is not
 * finished, take away bytes that had arrived, and how many differs: with them it is not known how far an MCP call had come.
 */
const byteKinds = ['destroy', 'end', 'gzip-cut', 'stall']

function isSwept({ id, kind, layout }: FaultCase): boolean {
  if (layout === 'mcp-connector' && (kind === 'reset' || kind === 'break-chunk')) return false
  const byte = /@byte:(\d+)/.exec(id)?.[1]
  return byte === undefined || byteKinds[Number(byte) % byteKinds.length] === kind
}

it('ends as it should under the loop of the SDK, whatever breaks', async () => {
  const { sample, count } = sized({ quick: { sample: 150, count: 120 }, long: { sample: 1_000, count: 480 } })
  const cases = spread(faultMatrix({ seed: 1, sample }).filter(isSwept), count)
  const grades = await gradeLoop({
    name: 'createFetch under the SDK',
    loop: recoveredSdkLoop,
    cases,
    expected: expectedEnd,
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
