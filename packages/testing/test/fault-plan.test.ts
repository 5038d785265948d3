import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  describeFault,
  expectedFrom,
  isTestingError,
  faultKinds,
  faultMatrix,
  layouts,
  parseExpectedTable,
  parseFaultPlan,
  startClaude,
} from '../src/index.ts'
import { layoutTurns } from '../src/layouts/layout-turns.ts'

describe('fault plans', () => {
  test.each<[unknown, string, RegExp]>([
    ['destroy', 'faults', /list of rules/],
    [[7], 'faults[0]', /object/],
    [[{ kind: 'explode' }], 'faults[0].kind', /must be one of destroy, /],
    [[{ kind: 'gzip' }, { kind: 'destroy', at: 7 }], 'faults[1].at', /event: <index>/],
    [[{ kind: 'destroy', at: { event: -1 } }], 'faults[0].at', /event: <index>/],
    [[{ kind: 'destroy', at: { event: 1, byte: 1 } }], 'faults[0].at', /event: <index>/],
    [
      [{ kind: 'destroy', errorType: 'x' }],
      'faults[0].errorType',
      /unknown option "faults\[0\]\.errorType"; expected one of at, turn/,
    ],
    [[{ kind: 'destroy', toString: 1 }], 'faults[0].toString', /unknown option/],
    [[{ kind: 'error-event' }], 'faults[0].errorType', /required for kind "error-event"/],
    [[{ kind: 'error-event', errorType: '' }], 'faults[0].errorType', /not empty/],
    [[{ kind: 'status', status: 200 }], 'faults[0].status', /400 to 599/],
    [[{ kind: 'slow-headers', ms: 0 }], 'faults[0].ms', /milliseconds/],
    [[{ kind: 'stall', pingEvery: '1s' }], 'faults[0].pingEvery', /milliseconds/],
    [[{ kind: 'garbage-line', mode: 'both' }], 'faults[0].mode', /one of add, instead/],
    [[{ kind: 'gzip', turn: 0 }], 'faults[0].turn', /positive/],
    [[{ kind: 'gzip', attempt: [] }], 'faults[0].attempt', /"all"/],
    [[{ kind: 'gzip', attempt: [0] }], 'faults[0].attempt', /"all"/],
    [[{ kind: 'gzip', times: 0 }], 'faults[0].times', /"forever"/],
    [[{ kind: 'gzip', stream: 'yes' }], 'faults[0].stream', /true or false/],
  ])('refuses %j at its place', (plan, path, message) => {
    expect(() => parseFaultPlan(plan)).toThrow(expect.objectContaining({ code: 'invalid_option', path }))
    expect(() => parseFaultPlan(plan)).toThrow(message)
  })

  test('accepts every rule of the matrix after a trip through JSON', () => {
    const rules = faultMatrix({ seed: 1, sample: 3000 }).map(({ rule }) => rule)
    expect(parseFaultPlan(JSON.parse(JSON.stringify(rules)))).toEqual(rules)
  })

  test('returns the list or throws a TestingError, whatever JSON it is given', () => {
    const kind = fc.constantFrom(...faultKinds.map((it) => it.kind))
    const verdict = (plan: unknown): unknown => {
      try {
        return parseFaultPlan(plan)
      } catch (error) {
        return isTestingError(error) ? error.code : error
      }
    }
    fc.assert(
      fc.property(fc.array(fc.record({ kind, at: fc.jsonValue() })), (plan) => {
        expect(['invalid_option', plan]).toContainEqual(verdict(plan))
      }),
    )
  })

  test('are checked by the server', async () => {
    const plan = JSON.parse('[{"kind":"explode"}]')
    await expect(startClaude({ script: [], faults: plan })).rejects.toMatchObject({ path: 'faults[0].kind' })
  })
})

describe('which requests are hit', () => {
  const body = (turn: number, stream: boolean): string =>
    JSON.stringify({
      model: 'm',
      max_tokens: 1,
      stream,
      messages: Array.from({ length: 2 * turn - 1 }, (_, index) => ({
        role: index % 2 === 0 ? 'user' : 'assistant',
        content: 'x',
      })),
    })

  test.each<[string, object, string[]]>([
    ['the first request, without conditions', {}, ['1s']],
    ['two of them', { times: 2 }, ['1s', '1b']],
    ['all', { times: 'forever' }, ['1s', '1b', '1s', '2s', '2s', '2b']],
    ['a turn, once', { turn: 2 }, ['2s']],
    ['a turn, for ever', { turn: 2, times: 'forever' }, ['2s', '2s', '2b']],
    ['an attempt of each turn', { attempt: 2 }, ['1b', '2s']],
    ['a list of attempts', { attempt: [1, 3], turn: 1 }, ['1s', '1s']],
    ['not streaming', { stream: false, times: 'forever' }, ['1b', '2b']],
    ['streaming, the second turn, all attempts', { stream: true, turn: 2, attempt: 'all', times: 5 }, ['2s', '2s']],
  ])('%s', async (_name, match, hit) => {
    await using claude = await startClaude({
      script: () => ({ content: [{ type: 'text', text: 'x' }] }),
      faults: parseFaultPlan([{ kind: 'status', status: 500, ...match }]),
    })
    const got: string[] = []
    for (const [turn, kind] of [
      [1, 's'],
      [1, 'b'],
      [1, 's'],
      [2, 's'],
      [2, 's'],
      [2, 'b'],
    ] as const) {
      const response = await fetch(`${claude.url}/v1/messages`, {
        method: 'POST',
        headers: { 'x-api-key': 'k' },
        body: body(turn, kind === 's'),
      })
      await response.text()
      if (response.status === 500) got.push(`${turn}${kind}`)
    }
    expect(got).toEqual(hit)
  })

  test('decides by the conversation if the plan is a function', async () => {
    await using claude = await startClaude({
      script: () => ({ content: [{ type: 'text', text: 'x' }] }),
      faults: ({ turn, attempt }) => (turn === 1 && attempt === 2 ? { kind: 'status', status: 529 } : undefined),
    })
    const statuses: number[] = []
    for (let attempt = 1; attempt <= 3; attempt++) {
      const response = await fetch(`${claude.url}/v1/messages`, {
        method: 'POST',
        headers: { 'x-api-key': 'k' },
        body: body(1, true),
      })
      await response.text()
      statuses.push(response.status)
    }
    expect(statuses).toEqual([200, 529, 200])
  })
})

describe('the matrix', () => {
  test('is the same for the same options, without an id that repeats', () => {
    const options = { seed: 3, sample: 2500 }
    const cases = faultMatrix(options)
    expect(faultMatrix(options)).toEqual(cases)
    expect(cases).toHaveLength(2500)
    expect(new Set(cases.map(({ id }) => id)).size).toBe(2500)
    expect(faultMatrix({ ...options, seed: 4 })).not.toEqual(cases)
  })

  test('has every event index, and every byte, of every turn of every layout', () => {
    const all = new Set(faultMatrix({ seed: 1, kinds: ['destroy'] }).map(({ id }) => id))
    let count = 0
    for (const layout of layouts) {
      for (const { turn, events, bytes } of layoutTurns(layout)) {
        for (const event of events.keys()) {
          for (const frequency of ['once', 'twice', 'every-stream', 'every-request']) {
            count++
            expect(all.has(`${layout.id}/turn:${turn}/destroy@event:${event}/${frequency}`)).toBe(true)
          }
        }
        for (let byte = 0; byte <= bytes; byte++) {
          count++
          expect(all.has(`${layout.id}/turn:${turn}/destroy@byte:${byte}/once`)).toBe(true)
        }
      }
    }
    expect(all.size).toBe(count)
  })

  test('has every layout and every kind that strikes by itself in a sample', () => {
    const cases = faultMatrix({ seed: 9, sample: 400 })
    expect(new Set(cases.map(({ layout }) => layout)).size).toBe(layouts.length)
    // An answer is begun anew only where another fault broke it: that is a layout.
    const kinds = faultKinds.map(({ kind }) => kind).filter((kind) => kind !== 'start-over')
    expect([...new Set(cases.map(({ kind }) => kind))].toSorted()).toEqual(kinds.toSorted())
  })

  test('keeps the seed of a case in any selection', () => {
    const narrow = faultMatrix({ seed: 1, layouts: ['different-words'], kinds: ['gzip'] })
    const wide = new Map(faultMatrix({ seed: 1, kinds: ['gzip', 'html'] }).map((one) => [one.id, one]))
    for (const one of narrow) expect(wide.get(one.id)).toEqual(one)
    expect(narrow[0]?.rule).toMatchObject({ kind: 'gzip', turn: 1, times: 1 })
  })

  test('refuses unknown options, layouts and kinds', () => {
    const misspelt: unknown = { seed: 1, samples: 3 }
    expect(() => Reflect.apply(faultMatrix, undefined, [misspelt])).toThrow(
      'unknown option "samples"; expected one of seed, layouts, kinds',
    )
    expect(() => faultMatrix({ seed: 1, layouts: ['x'] })).toThrow(expect.objectContaining({ path: 'layouts' }))
    expect(() => faultMatrix({ seed: 1, kinds: JSON.parse('["x"]') })).toThrow(
      expect.objectContaining({ path: 'kinds' }),
    )
  })

  test('describes each detail of a fault in its id', () => {
    expect(describeFault({ kind: 'destroy', at: { byte: 12 } })).toBe('destroy@byte:12')
    expect(describeFault({ kind: 'status', status: 429, retryAfter: 'Thu, 01/02' })).toBe(
      'status,status=429,retryAfter=Thu,_01_02',
    )
  })
})

describe('expected outcomes', () => {
  test('are those of the first line that matches', () => {
    const expected = expectedFrom(
      parseExpectedTable([
        { match: '*/turn:1/*/once', outcome: 'completed', reason: 'recovered' },
        { match: 'different-words/*', outcome: 'failed', reason: 'because' },
      ]),
    )
    const outcome = (frequency: 'once' | 'twice', layout: string): unknown => {
      const [one] = faultMatrix({ seed: 1, layouts: [layout], kinds: ['html'], frequencies: [frequency] })
      return one === undefined ? undefined : expected(one)
    }
    expect(outcome('once', 'different-words')).toBe('completed')
    expect(outcome('twice', 'different-words')).toMatchObject({ outcome: 'failed', reason: 'because' })
    expect(outcome('twice', 'mcp-connector')).toBe('completed')
  })

  test.each<[unknown, string]>([
    [{}, 'expected'],
    [[1], 'expected[0]'],
    [[{ match: '', outcome: 'failed', reason: 'x' }], 'expected[0].match'],
    [[{ match: '*', outcome: 'dead', reason: 'x' }], 'expected[0].outcome'],
    [[{ match: '*', outcome: 'failed' }], 'expected[0].reason'],
  ])('refuses %j at its place', (table, path) => {
    expect(() => parseExpectedTable(table)).toThrow(expect.objectContaining({ path }))
  })
})
