import { manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { act, draftState, prometheusEvidence, readPlan } from '../src/index.ts'
import { shortPlan } from './plans.ts'

const plan = readPlan(shortPlan({ unit: 'run' }))
const clock = manualClock()
const state = act(plan, draftState(plan, clock.now()), { type: 'start' }, { actor: 'ada', reason: 'r' }, clock.now())
const { signal } = new AbortController()

function vector(...samples: readonly (readonly [arm: string, value: string])[]): unknown {
  const result = samples.map(([arm, value]) => ({ metric: { arm }, value: [1, value] }))
  return { status: 'success', data: { resultType: 'vector', result } }
}

function server(answer: (query: string) => unknown, status = 200) {
  const asked: string[] = []
  const ask: typeof globalThis.fetch = async (input) => {
    const query = new URL(String(input instanceof Request ? input.url : input)).searchParams.get('query') ?? ''
    asked.push(query)
    return Response.json(answer(query), { status })
  }
  return { asked, fetch: ask }
}

describe('evidence from Prometheus', () => {
  it('counts runs since the stage has settled, and rounds what is extrapolated', async () => {
    clock.advance(plan.settle + 600_000)
    const { asked, fetch } = server((query) => {
      if (query.includes('rung!=')) return vector(['streaming', '3.2'])
      if (query.includes('outcome="failed"')) return vector(['streaming', '1.9'], ['control', '41'])
      return vector(['streaming', '99.6'], ['control', '1900.4'])
    })
    const read = prometheusEvidence({ url: 'http://prometheus:9090', plan, fetch, clock })
    expect(await read(1, state, signal)).toEqual({
      streaming: {
        units: 100,
        observed: 100,
        bad: { run_error: 2, incomplete_stream: 3 },
        any: { run_error: 2, incomplete_stream: 3 },
      },
      control: {
        units: 1900,
        observed: 1900,
        bad: { run_error: 41, incomplete_stream: 0 },
        any: { run_error: 41, incomplete_stream: 0 },
      },
    })
    expect(asked.every((query) => query.includes('[600s]'))).toBe(true)
  })

  it.each([
    ['a status', () => ({}), 503, 'Prometheus answered 503'],
    ['no vector', () => ({ data: { resultType: 'scalar', result: [] } }), 200, 'Prometheus answered no vector'],
    [
      'a sample without a count',
      () => vector(['streaming', 'NaN']),
      200,
      'without the label "arm", or without a count',
    ],
  ])('fails for %s, which must not look like health', async (_name, answer, status, message) => {
    const { fetch } = server(answer, status)
    const read = prometheusEvidence({ url: 'http://prometheus:9090/', plan, fetch, clock })
    await expect(read(1, state, signal)).rejects.toThrow(message)
  })

  it('refuses a plan that metrics cannot judge', () => {
    const refuse = (changes: Readonly<Record<string, unknown>>) => () =>
      prometheusEvidence({ url: 'http://prometheus:9090', plan: readPlan(shortPlan({ unit: 'run', ...changes })) })
    expect(refuse({ unit: 'user' })).toThrow('plan.unit must be "run"')
    expect(refuse({ stages: [{ name: 'b', percent: 5, segments: ['internal'] }] })).toThrow(
      'plan.stages[0].segments must be empty',
    )
    expect(refuse({ gates: [{ metric: 'tool_failure', maxRatio: 1, max: 0.1 }] })).toThrow(
      'queries.tool_failure is missing',
    )
  })
})
