import { largeText, text, toolUse, type Turn } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import {
  type Cassette,
  type CassetteReport,
  compareCassette,
  formatReport,
  type JsonObject,
  type Normalisation,
  readCassette,
} from '../src/index.ts'
import { differences } from '../src/compare/differences.ts'
import { otherConversations } from './support/block-kinds.ts'
import { recordLoop } from './support/recorded.ts'

const twoCalls: readonly Turn[] = [
  { content: [text('Both.'), toolUse('look_up', { order: '1' }), toolUse('charge', { cents: 5 })] },
  { content: [text('Done.')] },
]

/** A cassette with the messages of its last request changed, as another loop would have sent them. */
function withLastMessages(
  cassette: Cassette,
  change: (messages: readonly JsonObject[]) => readonly JsonObject[],
): Cassette {
  return {
    ...cassette,
    exchanges: cassette.exchanges.map((exchange, index) => {
      if (index < cassette.exchanges.length - 1) return exchange
      const { request } = exchange
      return {
        ...exchange,
        request: { ...request, body: { ...request.body, messages: change(request.body.messages) } },
      }
    }),
  }
}

const resultsOf = (message: JsonObject): JsonObject[] => (Array.isArray(message['content']) ? message['content'] : [])

/** Changes the blocks of the last message, which holds the results. */
function withResults(cassette: Cassette, change: (results: JsonObject[]) => JsonObject[]): Cassette {
  return withLastMessages(cassette, (messages) =>
    messages.map((message, index) =>
      index < messages.length - 1 ? message : { ...message, content: change(resultsOf(message)) },
    ),
  )
}

const blankAndThinking = otherConversations['blank text and trailing thinking'] ?? []

async function twoTurns(): Promise<Cassette> {
  return recordLoop(twoCalls)
}

describe('an ignored difference', () => {
  const cases: Readonly<Record<Normalisation, () => Promise<Cassette>>> = {
    stream: twoTurns,
    cache_control: async () =>
      withResults(await twoTurns(), (results) =>
        results.map((each) => ({ ...each, cache_control: { type: 'ephemeral' } })),
      ),
    text_form: async () =>
      withLastMessages(
        await recordLoop([{ content: [text('Wait.')], stopReason: 'pause_turn' }, { content: [text('Done.')] }]),
        (messages) => messages.map((message) => ({ ...message, content: 'Wait.' })),
      ),
    null_fields: async () =>
      withLastMessages(await twoTurns(), (messages) =>
        messages.map((message) => ({
          ...message,
          content: resultsOf(message).map((each) => ({ ...each, note: null })),
        })),
      ),
    empty_citations: async () =>
      withLastMessages(await twoTurns(), (messages) =>
        messages.map((message) => ({
          ...message,
          content: resultsOf(message).map((each) => (each['type'] === 'text' ? { ...each, citations: [] } : each)),
        })),
      ),
    result_form: async () =>
      withResults(await twoTurns(), (results) => results.map((each) => ({ ...each, is_error: false }))),
    result_order: async () => withResults(await twoTurns(), (results) => results.toReversed()),
    blank_text: () => recordLoop(blankAndThinking, { options: { validate: false } }),
    trailing_thinking: () => recordLoop(blankAndThinking, { options: { validate: false } }),
    container: () => recordLoop(otherConversations['a container that is carried on'] ?? []),
    unrun_calls: () => recordLoop(otherConversations['max_tokens in a call'] ?? []),
    refused_turn: () => recordLoop(otherConversations['a refusal'] ?? []),
  }

  it.each(Object.entries(cases))('%s', async (name, make) => {
    const report = await compareCassette(await make())
    expect(report.differences).toEqual([])
    expect(Object.keys(report.normalised)).toContain(name)
    expect(formatReport('cassette', report).at(-1)).toMatch(new RegExp(`^ {2}normalised: .*\\b${name} \\d`))
  })

  it('is named alone if it is the only one', async () => {
    const report = await compareCassette(await twoTurns(), { variants: ['buffered'] })
    expect(report.normalised).toEqual({})
  })
})

describe('a difference', () => {
  const cases: readonly (readonly [
    what: string,
    change: (cassette: Cassette) => Cassette,
    turn: number,
    path: string,
  ])[] = [
    [
      'a text that the loop adds',
      (cassette) => withResults(cassette, (results) => [...results, { type: 'text', text: 'Be quick.' }]),
      2,
      'request.messages[2].content[2]',
    ],
    [
      'an answer of which the loop drops a block',
      (cassette) =>
        withLastMessages(cassette, ([said = {}, ...rest]) => [{ ...said, content: resultsOf(said).slice(1) }, ...rest]),
      2,
      'request.messages[1].content[0]',
    ],
    [
      'an input that the loop changes',
      (cassette) =>
        withLastMessages(cassette, ([said = {}, ...rest]) => [
          {
            ...said,
            content: resultsOf(said).map((each) => ('input' in each ? { ...each, input: { order: '2' } } : each)),
          },
          ...rest,
        ]),
      2,
      'request.messages[1].content[1].input.order',
    ],
    [
      'a result without its flag',
      (cassette) => withResults(cassette, (results) => results.map((each) => ({ ...each, id: 'x' }))),
      2,
      'request.messages[2].content[0].id',
    ],
  ]

  it.each(cases)('%s', async (_, change, turn, path) => {
    const report = await compareCassette(change(await twoTurns()))
    expect(report.differences[0]).toMatchObject({ turn, path, variants: report.variants })
  })

  it('is told once for a reminder that the loop adds, not again for the history', async () => {
    const reminder = { role: 'user', content: 'Be quick.' }
    const report = await compareCassette(withLastMessages(await twoTurns(), (messages) => [...messages, reminder]))
    expect(report.differences).toEqual([
      {
        turn: 2,
        path: 'request.messages[3]',
        expected: { role: 'user', content: [{ type: 'text', text: 'Be quick.' }] },
        variants: report.variants,
      },
    ])
  })

  it('is a history that Millrace refuses', async () => {
    const cassette = await twoTurns()
    const unanswered = readCassette({
      ...cassette,
      exchanges: cassette.exchanges.slice(0, 1).map((exchange) => ({
        ...exchange,
        request: {
          ...exchange.request,
          body: { ...exchange.request.body, messages: [{ role: 'assistant', content: 'Hello' }] },
        },
      })),
    })
    const { differences: found } = await compareCassette(unanswered)
    expect(found).toMatchObject([
      { turn: 0, path: 'run', expected: 'accepted', actual: expect.stringContaining('messages[0].role') },
    ])
  })
})

describe('notes', () => {
  it('say what comes from the recording', async () => {
    const parameters = (turn: number): JsonObject => (turn === 1 ? { tool_choice: { type: 'any' } } : { max_tokens: 7 })
    const report = await compareCassette(await recordLoop(twoCalls, { parameters }))
    expect(report.differences).toEqual([])
    expect(report.notes).toEqual([
      'the loop changes max_tokens, tool_choice between its turns: the recorded values are sent',
    ])
  })

  it('say that a recording ends before its run does', async () => {
    const whole = await twoTurns()
    const report = await compareCassette({ ...whole, exchanges: whole.exchanges.slice(0, 1) })
    expect(report.equal).toBe(true)
    expect(report.notes).toEqual(['the recording ended before the run did: compared up to turn 1'])
  })

  it('say that an answer is missing in the middle', async () => {
    const whole = await recordLoop([
      ...twoCalls.slice(0, 1),
      { content: [toolUse('look_up', {})] },
      { content: [text('Done.')] },
    ])
    const exchanges = whole.exchanges.map((exchange, index) =>
      index === 1 ? { ...exchange, answer: { kind: 'broken', reason: 'too_large' } as const } : exchange,
    )
    const report = await compareCassette({ ...whole, exchanges })
    expect(report).toMatchObject({ equal: true, turns: 1 })
    expect(report.notes).toContain('an answer was too large to be recorded: compared up to turn 1')
  })

  it.each([400, 401, 429, 500, 529])('say that a run ended with a %s, which is replayed', async (status) => {
    const failing = { faults: [{ kind: 'status' as const, status, times: 'forever' as const, turn: 2 }] }
    const cassette = await recordLoop(twoCalls, { options: failing })
    const report = await compareCassette(cassette)
    expect(report).toMatchObject({
      equal: true,
      turns: 1,
      notes: ['the recorded run failed: its last error is replayed'],
    })
  })
})

describe('compareCassette', () => {
  it.each([
    [{ variants: [] }, 'variants must list some of buffered, whole'],
    [{ variants: ['fast'] }, 'variants must list some of buffered, whole'],
    [{ variants: ['http'] }, 'variants has "http", which needs a place'],
    [{ seed: 0.5 }, 'seed must be a whole number'],
    [{ variant: ['events'] }, 'unknown option "variant"; did you mean "variants"?'],
    [{ through: 1 }, 'through must be a function'],
  ])('refuses %j', async (options, message) => {
    const result: unknown = Reflect.apply(compareCassette, undefined, [await twoTurns(), options])
    await expect(result).rejects.toThrow(message)
  })

  it('rejects with the reason of its signal', async () => {
    const stop = new AbortController()
    stop.abort('enough')
    await expect(compareCassette(await twoTurns(), { signal: stop.signal })).rejects.toBe('enough')
    const later = new AbortController()
    const through = (): (() => Promise<Response>) => () => {
      later.abort('later')
      return new Promise(() => {})
    }
    await expect(compareCassette(await twoTurns(), { signal: later.signal, through })).rejects.toBe('later')
  })

  it('ignores the keys and URLs in the environment', async () => {
    const asked: Headers[] = []
    await compareCassette(await twoTurns(), {
      variants: ['events'],
      through: (fetch) => (input, init) => {
        asked.push(new Headers(init?.headers))
        return fetch(input, init)
      },
    })
    expect(asked.map((headers) => headers.get('authorization'))).toEqual(['Bearer replay', 'Bearer replay'])
  })

  it('takes a large answer, also byte by byte', async () => {
    const cassette = await recordLoop([{ content: [text(largeText({ bytes: 600_000 }))] }])
    const report = await compareCassette(cassette, { variants: ['bytes', 'random'] })
    expect(report.differences).toEqual([])
  })
})

describe('a report', () => {
  const report: CassetteReport = {
    id: 'run-0001',
    equal: false,
    turns: 1,
    variants: ['buffered', 'whole'],
    differences: [
      {
        turn: 1,
        path: 'answer.content[0].text',
        expected: `${'a'.repeat(300)}b`,
        actual: `${'a'.repeat(300)}c`,
        variants: ['whole'],
      },
      { turn: 0, path: 'usage', actual: { input_tokens: 1 }, variants: ['buffered', 'whole'] },
    ],
    normalised: { stream: 2 },
    notes: ['a note'],
  }

  it('shows both sides around the point where they begin to differ', () => {
    expect(formatReport('a.cassette.json', report, { width: 40 })).toEqual([
      'a.cassette.json: 2 differences, 1 turn',
      '  turn 1, answer.content[0].text (whole)',
      '    - expected …aaaaaaaaaab"',
      '    + actual   …aaaaaaaaaac"',
      '  run, usage (all variants)',
      '    - expected nothing',
      '    + actual   {"input_tokens":1}',
      '  note: a note',
      '  normalised: stream 2',
    ])
  })

  it('has colours on request, and never control characters of a model', () => {
    const [first = ''] = formatReport('a', report, { colours: true })
    expect(first).toBe('a: \u001B[31m2 differences\u001B[39m, 1 turn')
    const nasty = {
      ...report,
      differences: [{ turn: 1, path: 'x', expected: '\u001B[2J\u009B2J\n', actual: 1, variants: report.variants }],
    }
    expect(formatReport('a', nasty).join('')).not.toMatch(/\p{Cc}/u)
  })
})

describe('differences of two values', () => {
  it.each([
    [{ a: 1, b: 2 }, { b: 2, a: 1 }, []],
    [{ a: [1, { b: 2 }] }, { a: [1, { b: 3 }] }, [{ path: 'x.a[1].b', expected: 2, actual: 3 }]],
    [{ a: 1 }, {}, [{ path: 'x.a', expected: 1 }]],
    [{}, { 'a b': 1 }, [{ path: 'x["a b"]', actual: 1 }]],
    [
      [1, 2, 3],
      [1, 3],
      [
        { path: 'x[1]', expected: 2, actual: 3 },
        { path: 'x.length', expected: 3, actual: 2 },
      ],
    ],
    [
      [],
      [1],
      // That it is longer by one is said by the one.
      [{ path: 'x[0]', actual: 1 }],
    ],
    [
      [1, 2, 3],
      [1],
      [
        { path: 'x[1]', expected: 2 },
        { path: 'x.length', expected: 3, actual: 1 },
      ],
    ],
    [null, {}, [{ path: 'x', expected: null, actual: {} }]],
  ])('%j and %j', (expected, actual, found) => {
    expect(differences(expected, actual, 'x')).toEqual(found)
  })

  it('are at most fifty', () => {
    const many = Array.from({ length: 90 }, (_, index) => index)
    expect(
      differences(
        many,
        many.map((value) => value + 1),
        'x',
      ),
    ).toHaveLength(50)
  })
})
