import { sized } from '@millrace/config/sized'
import Anthropic from '@anthropic-ai/sdk'
import { faultKinds, faultMatrix, layouts, leakCanary, type Layout, startClaude } from '@millrace/testing'
import { manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import {
  type AgentCallbacks,
  type AgentOptions,
  createAgent,
  defineTool,
  isMillraceError,
  type MillraceError,
  type RunInput,
} from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { claudeFor, clientOf, question, request } from '../support/scripted.ts'
import { quietClock } from './quiet-clock.ts'

const apiKey = 'sk-ant-api03-the-key-of-this-test'

/** What never travels. */
const secrets: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['the API key', new RegExp(apiKey)],
  ['an upstream body', new RegExp(`${leakCanary}|<!doctype|"request_id"`, 'i')],
  ['a stack', /\n\s+at .+[:(]\d+/],
  ['a path', /file:\/\/|(?:^|[\s"'(])\/(?:[\w.@-]+\/){2,}[\w.@-]+|[A-Z]:\\\w/],
]

/** All of a value that somebody who has it could read, errors and their causes included. */
function spell(value: unknown, depth = 0): string {
  if (typeof value === 'string') return value
  if (typeof value !== 'object' || value === null || depth > 8) return String(value)
  const fields = Object.entries(value).map(([field, inner]) => `${field}: ${spell(inner, depth + 1)}`)
  if (value instanceof Error) fields.push(value.message, value.stack ?? '', spell(value.cause, depth + 1))
  return fields.join('\n')
}

function leaksIn(values: readonly unknown[]): readonly string[] {
  const all = values.map((value) => spell(value)).join('\n')
  return secrets.filter(([, pattern]) => pattern.test(all)).map(([name]) => name)
}

/** Callbacks that keep everything that they are given. */
function keeping(kept: unknown[]): AgentCallbacks {
  const keep = (...args: unknown[]): void => void kept.push(...args)
  return {
    onText: keep,
    onThinking: keep,
    onToolUse: keep,
    onToolProgress: keep,
    onToolResult: keep,
    onRetract: keep,
    onError: keep,
    onEvent: keep,
  }
}

/** The message of an error of ours is written for a client, wherever the error goes; its stack and cause stay. */
const messagesOf = (errors: readonly MillraceError[]): string[] => errors.map(({ message }) => message)

describe('what is looked for', () => {
  it('is found where it is', () => {
    expect(leaksIn([new Error('x')])).toContain('a stack')
    expect(leaksIn([{ at: '/var/lib/app/data' }])).toEqual(['a path'])
    expect(leaksIn([[`key ${apiKey}`], { body: leakCanary }])).toEqual(['the API key', 'an upstream body'])
    expect(leaksIn([{ text: 'and/or 1/2', url: 'https://example.com/a/b' }])).toEqual([])
  })
})

describe('nothing leaks into events and callbacks', () => {
  it('from any kind of fault, once or for ever', async () => {
    const claude = await startClaude({ script: [] })
    const sample = sized({ quick: 3, long: 8 })
    const cases = faultKinds.flatMap(({ kind }) => [
      ...faultMatrix({ seed: 3, kinds: [kind], frequencies: ['once'], sample }),
      ...faultMatrix({ seed: 4, kinds: [kind], frequencies: ['every-request'], sample }),
    ])
    const failedWith = new Set<string>()
    let conversations = 0
    try {
      for (const { id, rule, layout: wanted } of cases) {
        const layout = layouts.find((each) => each.id === wanted)
        if (layout === undefined) throw new Error(wanted)
        claude.setScript((asked) => pickTurn(layout, asked))
        claude.setFaults([rule])
        const kept: unknown[] = []
        const warnings: MillraceError[] = []
        const clock = quietClock(() => claude.stats.bytesSent + claude.stats.requests + kept.length)
        const agent = createAgent({
          client: new Anthropic({ apiKey, baseURL: claude.url, maxRetries: 0 }),
          request,
          tools: layout.tools.map(({ name, description, inputSchema, result }) =>
            defineTool({ name, description, inputSchema: { jsonSchema: inputSchema }, run: () => result }),
          ),
          onWarning: (error) => void warnings.push(error),
          runtime: { clock },
        })
        const content = `${layout.question} ${conversations++}`
        const run = agent.run({ messages: [{ role: 'user', content }], callbacks: keeping(kept) })
        for await (const event of run) kept.push(event)
        const { error } = await run.result
        clock.stop()
        if (error !== undefined) failedWith.add(error.code)
        expect(leaksIn([...kept, ...messagesOf(warnings)]), id).toEqual([])
        expect(
          warnings.every((warning) => isMillraceError(warning)),
          id,
        ).toBe(true)
      }
    } finally {
      await claude.close()
    }
    expect(cases.length).toBeGreaterThan(faultKinds.length * sample)
    // The sweep has met errors of the request, the connection and the answer.
    expect([...failedWith]).toEqual(expect.arrayContaining(['bad_request', 'connection_failed', 'garbage']))
  })

  const secret = (): Error => Object.assign(new Error(`${apiKey} in /var/lib/app/secrets/key.json: ${leakCanary}`))
  const fail = (): never => {
    throw secret()
  }
  const rejects = (): Promise<never> => Promise.reject(secret())
  const store = (): ReturnType<typeof memoryRunStore> => memoryRunStore({ clock: manualClock() })
  const inputSchema = { jsonSchema: { type: 'object' } }

  it.each<[string, Partial<AgentOptions>, Partial<RunInput>?]>([
    ['middleware around the run', { use: [{ name: 'mine', run: fail }] }],
    ['middleware around a turn', { use: [{ name: 'mine', turn: rejects }] }],
    ['middleware around a tool', { use: [{ name: 'mine', tool: rejects }] }],
    ['an observer', { use: [{ name: 'mine', run: (scope, next) => (scope.observe(fail), next()) }] }],
    ['flags', { flags: { getBooleanDetails: rejects } }],
    ['flags, at once', { flags: { getBooleanDetails: fail } }],
    ['a store that refuses the run', { journal: runJournal({ ...store(), create: rejects }) }],
    ['a store that refuses events', { journal: runJournal({ ...store(), append: rejects }) }],
    [
      'a journal that cannot close',
      {
        journal: {
          open: () =>
            Promise.resolve({
              record: () => undefined,
              flush: () => Promise.resolve(),
              ready: () => undefined,
              finish: rejects,
              lost: () => undefined,
            }),
          takeOver: rejects,
        },
      },
    ],
    ['a policy for server tools', { recovery: { retryAfterServerTools: fail } }],
    ['a function that gives the tools', { tools: fail }],
    ['a ledger', {}, { ledger: { record: fail, take: fail, entries: [] } }],
    [
      'a schema',
      {
        tools: [
          defineTool({ name: 'act', description: '', inputSchema: { ...inputSchema, validate: fail }, run: () => 1 }),
        ],
      },
    ],
    [
      'reconcile',
      {
        limits: { toolTimeout: 5, toolAbortGrace: 0 },
        tools: [
          defineTool({ name: 'act', description: '', inputSchema, reconcile: fail, run: () => new Promise(() => {}) }),
        ],
      },
    ],
    [
      'a result that is no JSON',
      { tools: [defineTool({ name: 'act', description: '', inputSchema, run: () => ({ toJSON: fail }) })] },
    ],
  ])('from what is thrown by %s', async (_name, options, input = {}) => {
    const claude = await claudeFor([
      {
        content: [
          { type: 'text', text: 'I act.' },
          { type: 'tool_use', id: 'toolu_1', name: 'act', input: {} },
        ],
      },
      { content: [{ type: 'text', text: 'Done.' }] },
    ])
    const kept: unknown[] = []
    const warnings: MillraceError[] = []
    const agent = createAgent({
      client: clientOf(claude),
      request,
      tools: [defineTool({ name: 'act', description: '', inputSchema, run: () => 'acted' })],
      onWarning: (error) => void warnings.push(error),
      ...options,
    })
    const run = agent.run({ messages: question, user: 'ada', callbacks: keeping(kept), ...input })
    for await (const event of run) kept.push(event)
    const { messages, error } = await run.result
    expect(leaksIn([...kept, ...messagesOf(warnings), messages, error?.message])).toEqual([])
    expect(kept.length).toBeGreaterThan(0)
  })

  it('from what is thrown by callbacks', async () => {
    const claude = await claudeFor([{ content: [{ type: 'text', text: 'Hello' }] }])
    const kept: unknown[] = []
    const run = createAgent({ client: clientOf(claude), request }).run({
      messages: question,
      callbacks: { onText: fail, onEvent: fail, onError: (error, meta) => void kept.push(error, meta) },
    })
    for await (const event of run) kept.push(event)
    await run.result
    expect(leaksIn(kept)).toEqual([])
    expect(kept).toContainEqual(
      expect.objectContaining({ code: 'callback_failed', message: 'The callback onText failed' }),
    )
  })

  it('but what a tool throws is its author’s word to the model, and is passed on as it is', async () => {
    const claude = await claudeFor([
      { content: [{ type: 'tool_use', id: 'toolu_1', name: 'act', input: {} }] },
      { content: [{ type: 'text', text: 'Done.' }] },
    ])
    const act = defineTool({ name: 'act', description: '', inputSchema, run: fail })
    const run = createAgent({ client: clientOf(claude), request, tools: [act] }).run({ messages: question })
    expect(JSON.stringify((await run.result).messages)).toContain(secret().message)
  })
})

function pickTurn(layout: Layout, asked: Parameters<Layout['next']>[0]): ReturnType<Layout['next']>['turns'][number] {
  const { turns } = layout.next(asked)
  for (const turn of turns) {
    const rest = asked.continued(turn)
    if (rest !== turn) return rest
  }
  return turns[(asked.attempt - 1) % turns.length] ?? { content: [] }
}
