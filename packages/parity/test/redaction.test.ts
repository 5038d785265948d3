import * as fc from 'fast-check'
import { type ContentBlock, text, thinking, toolUse, type Turn } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import {
  baseline,
  compareCassette,
  formatBaseline,
  formatCassette,
  formatReport,
  type JsonObject,
  type ParityError,
  recordingFetch,
  createRecorder,
} from '../src/index.ts'
import { createRedactor } from '../src/redaction/redactor.ts'
import { mutants, throughMutant } from './support/mutants.ts'
import { runLegacyLoop } from './support/legacy-loops.ts'
import { claudeFor, memorySink, recordLoop, recordWith } from './support/recorded.ts'

const body: JsonObject = {
  model: 'claude-x',
  max_tokens: 10,
  system: 'You serve Ada.',
  tools: [{ name: 'look_up', description: 'Looks up', input_schema: { type: 'object' } }],
  metadata: { user_id: 'u-17' },
  messages: [
    { role: 'user', content: 'Where is order 17?' },
    {
      role: 'assistant',
      content: [
        { type: 'text', text: 'I look.', citations: null },
        {
          type: 'tool_use',
          id: 'toolu_1',
          name: 'look_up',
          input: { id: 17, deep: { name: 'Ada', ok: true }, list: ['a'] },
        },
      ],
    },
    { role: 'user', content: [{ type: 'tool_result', tool_use_id: 'toolu_1', content: 'On its way' }] },
  ],
}

/** The fields of a redacted body, as far as they have changed. */
function changes(paths: readonly string[]): Record<string, unknown> {
  const found: Record<string, unknown> = {}
  const compare = (before: unknown, after: unknown, path: string): void => {
    if (Array.isArray(before) || (typeof before === 'object' && before !== null)) {
      for (const [key, value] of Object.entries(before))
        compare(value, Reflect.get(Object(after), key), `${path}.${key}`)
    } else if (!Object.is(before, after)) found[path.slice(1)] = after
  }
  compare(body, createRedactor(paths).request(body), '')
  return found
}

describe('a path', () => {
  it.each([
    ['system', { system: '[redacted 1]' }],
    ['system.*.text', { system: '[redacted 1]' }],
    ['metadata', { 'metadata.user_id': '[redacted 1]' }],
    ['metadata["user_id"]', { 'metadata.user_id': '[redacted 1]' }],
    ['messages.0.content', { 'messages.0.content': '[redacted 1]' }],
    [
      'messages.*.content.*.text',
      { 'messages.0.content': '[redacted 1]', 'messages.1.content.0.text': '[redacted 2]' },
    ],
    ['messages.*.content.*.input.deep.name', { 'messages.1.content.1.input.deep.name': '[redacted 1]' }],
    [
      'messages.*.content.*.input',
      {
        'messages.1.content.1.input.id': 1,
        'messages.1.content.1.input.deep.name': '[redacted 2]',
        'messages.1.content.1.input.deep.ok': false,
        'messages.1.content.1.input.list.0': '[redacted 3]',
      },
    ],
    ['messages.2.content.*.content', { 'messages.2.content.0.content': '[redacted 1]' }],
    ['messages.2.content.*.content.*.text', { 'messages.2.content.0.content': '[redacted 1]' }],
    ['**.name', { 'messages.1.content.1.input.deep.name': '[redacted 1]' }],
    ['tools.*.description', { 'tools.0.description': '[redacted 1]' }],
    // What replay needs is out of reach.
    ['model', {}],
    ['messages.*.role', {}],
    ['messages.*.content.*.id', {}],
    ['tools.*.name', {}],
    ['nothing.like.it', {}],
  ])('%s reaches its fields', (path, expected) => {
    expect(changes([path])).toEqual(expected)
  })

  it('replaces equal values with equal placeholders', () => {
    expect(changes(['messages.*.content', '**', 'system'])['messages.0.content']).toBe('[redacted 1]')
    const redactor = createRedactor(['metadata'])
    const ids = ['a', 'b', 'a', ' '].map((user_id) => redactor.request({ metadata: { user_id } })['metadata'])
    expect(ids).toEqual([
      { user_id: '[redacted 1]' },
      { user_id: '[redacted 2]' },
      { user_id: '[redacted 1]' },
      { user_id: ' ' },
    ])
  })

  it.each(['', '.a', 'a.', 'a..b', 'a[b]', 'a["b"', '["a"]b'])('is refused if it is "%s"', (path) => {
    expect(() => createRedactor([path])).toThrow(/^redact\[0\] /)
  })
})

/** Texts that stand nowhere else. */
const anySecret = fc.stringMatching(/^[a-z]{4}-[0-9A-F]{12}$/)

/** A conversation that says a secret in every place in which one may be said. */
function conversationWith(secret: string): Turn[] {
  const blocks: ContentBlock[] = [
    thinking(`Thinking of ${secret}.`),
    text(`Text with ${secret} in it.`, [
      { type: 'char_location', cited_text: secret, document_title: `About ${secret}` },
    ]),
    { type: 'server_tool_use', id: 'srvtoolu_1', name: 'web_search', input: { query: secret } },
    {
      type: 'web_search_tool_result',
      tool_use_id: 'srvtoolu_1',
      content: [{ type: 'web_search_result', title: secret }],
    },
    { type: 'hologram', beam: secret, parts: [secret, { deep: secret }] },
  ]
  return [
    { content: [...blocks, toolUse('look_up', { key: secret, list: [secret], deep: { secret } })] },
    { content: blocks.slice(0, 2) },
  ]
}

interface Leaks {
  readonly question: string
  readonly system: string
  readonly stream: boolean
}

function loopWith(
  secret: string,
  stream: boolean,
): Leaks & { tool: () => { content: string }; parameters: () => JsonObject } {
  return {
    question: `Where is ${secret}?`,
    system: secret,
    stream,
    tool: () => ({ content: `It is ${secret}` }),
    parameters: () => ({ system: `You know ${secret}`, metadata: { user_id: secret } }),
  }
}

describe('nothing that was redacted', () => {
  const paths = ['messages', 'system', 'metadata']

  it('is in a cassette, a report or a baseline, and the replay is equal', async () => {
    await fc.assert(
      fc.asyncProperty(anySecret, fc.boolean(), async (secret, stream) => {
        const cassette = await recordLoop(conversationWith(secret), loopWith(secret, stream), { redact: paths })
        const report = await compareCassette(cassette, { variants: ['buffered', 'random'] })
        expect(report.differences).toEqual([])
        const mutated = await Promise.all(
          mutants.map(async ({ mutate }) =>
            compareCassette(cassette, { through: throughMutant({ mutate }), variants: ['events'] }),
          ),
        )
        const said = [
          formatCassette(cassette),
          JSON.stringify([report, mutated]),
          ...mutated.flatMap((each) => formatReport('cassette', each)),
          ...formatBaseline(baseline([cassette])),
        ].join('\n')
        expect(said).not.toContain(secret)
        expect(said).toContain('[redacted')
      }),
      { numRuns: 12 },
    )
  })

  it('is in a cassette if it is a secret, wherever it stood', async () => {
    await fc.assert(
      fc.asyncProperty(anySecret, fc.boolean(), async (secret, stream) => {
        const cassette = await recordLoop(conversationWith(secret), loopWith(secret, stream), { secrets: [secret] })
        expect(formatCassette(cassette)).not.toContain(secret)
        expect((await compareCassette(cassette, { variants: ['buffered', 'random'] })).differences).toEqual([])
      }),
      { numRuns: 12 },
    )
  })

  it('is in the other fields of an answer', () => {
    const redactor = createRedactor([], ['abcd-0123456789AB'])
    const details = { explanation: 'Of abcd-0123456789AB', ['abcd-0123456789AB']: 1 }
    const redacted = redactor.answer({ content: [], stop_details: details }, 1)
    expect(redacted).toEqual({
      content: [],
      stop_details: { explanation: 'Of [redacted key]', '[redacted key]': 1 },
    })
    expect(redactor.text('an abcd-0123456789AB')).toBe('an [redacted key]')
  })

  it('is missed: without redaction all of it is there', async () => {
    const cassette = await recordLoop(conversationWith('abcd-0123456789AB'), loopWith('abcd-0123456789AB', true))
    expect(formatCassette(cassette)).toContain('abcd-0123456789AB')
  })
})

describe('no key', () => {
  it.each(['x-api-key', 'authorization', 'proxy-authorization'])(
    'of %s is kept, wherever it is repeated',
    async (header) => {
      await fc.assert(
        fc.asyncProperty(anySecret, fc.constantFrom('', 'Bearer ', 'Basic '), async (key, scheme) => {
          const claude = await claudeFor([], { validate: false })
          claude.setScript(conversationWith(key))
          const problems: ParityError[] = []
          const sink = memorySink()
          const recorder = createRecorder({ sink, onProblem: (problem) => problems.push(problem) })
          const record = recordingFetch({ recorder })
          await runLegacyLoop({
            baseURL: claude.url,
            fetch: (input, init) => {
              const headers = new Headers(init?.headers)
              // What the scripted server wants to see, whatever it is.
              headers.set('x-api-key', 'any')
              headers.set(header, `${scheme}${key}`)
              return record(input, { ...init, headers })
            },
            ...loopWith(key, true),
          })
          await recorder.close()
          await claude.close()
          expect(sink.texts()).toHaveLength(1)
          expect([...sink.texts(), ...problems.map(String)].join('\n')).not.toContain(key)
        }),
        { numRuns: 6 },
      )
    },
  )

  it('and no message of an error is kept', async () => {
    const claude = await claudeFor([{ content: [] }], { faults: [{ kind: 'status', status: 400, times: 'forever' }] })
    const { cassettes, problems } = await recordWith((fetch) => runLegacyLoop({ baseURL: claude.url, fetch }))
    const [cassette] = cassettes
    expect(cassette?.exchanges[0]?.answer).toEqual({ kind: 'error', status: 400, type: 'invalid_request_error' })
    expect(problems).toEqual([])
  })
})
