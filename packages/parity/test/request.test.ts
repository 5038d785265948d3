import type Anthropic from '@anthropic-ai/sdk'
import { type Agent, type AgentOptions, createAgent, defineTool } from '@millrace/core'
import { text, toolUse } from '@millrace/testing'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import {
  type Cassette,
  compareRequest,
  formatRequestReports,
  type JsonObject,
  type MakeAgent,
  type RequestDifference,
} from '../src/index.ts'
import { loadAgent } from '../src/node.ts'
import { definitions as shopDefinitions } from './loops/shop.ts'
import { recordLoop } from './support/recorded.ts'

const script = [{ content: [text('I look.'), toolUse('look_up', { order: '17' })] }, { content: [text('Done.')] }]

/** The tools of the recorded loop. */
const definitions = ['look_up', 'charge'].map((name) => ({
  name,
  description: `Does ${name}`,
  input_schema: { type: 'object' },
}))

/** A recording whose first request is changed. */
async function recorded(change: JsonObject = {}, rest: Partial<Cassette> = {}, betas?: string[]): Promise<Cassette> {
  const cassette = await recordLoop(script, { question: 'Where is order 17?' })
  const exchanges = cassette.exchanges.map(({ request, ...exchange }) => ({
    ...exchange,
    request: { ...request, ...(betas !== undefined && { betas }), body: { ...request.body, ...change } },
  }))
  return { ...cassette, ...rest, exchanges }
}

const run = vi.fn<() => string>(() => 'on its way')

/** The agent that asks as the recorded loop does, with options changed. */
function agentWith(change: (client: Anthropic) => Partial<AgentOptions> = () => ({})): MakeAgent {
  return (client) =>
    createAgent({
      client,
      request: { model: 'claude-opus-5-5', max_tokens: 1_000 },
      tools: definitions.map(({ name, description, input_schema: jsonSchema }) =>
        defineTool({ name, description, inputSchema: { jsonSchema }, run }),
      ),
      ...change(client),
    })
}

function told(differences: readonly RequestDifference[]): string[] {
  return differences.map(({ path, text: words }) => `${path}: ${words}`)
}

describe('compareRequest', () => {
  it('finds nothing if the agent asks what the recorded loop asked, and runs no tool', async () => {
    const report = await compareRequest(await recorded(), agentWith())
    expect(report).toMatchObject({ equal: true, differences: [], notes: [] })
    expect(run).not.toHaveBeenCalled()
  })

  const [lookUp] = definitions
  const request = { model: 'claude-opus-5-5', max_tokens: 1_000 }
  it.each<[string, JsonObject, Partial<AgentOptions>, string[]]>([
    [
      'the model',
      {},
      { request: { ...request, model: 'claude-x' } },
      ['model: recorded "claude-opus-5-5", your agent sends "claude-x"'],
    ],
    [
      'a parameter',
      {},
      { request: { ...request, max_tokens: 4_000 } },
      ['max_tokens: recorded 1000, your agent sends 4000'],
    ],
    [
      'a parameter that only one of them has',
      { metadata: { user_id: 'u-1' } },
      { request: { ...request, tool_choice: { type: 'any' } } },
      [
        'tool_choice: your agent sends {"type":"any"}, the recorded request has nothing here',
        'metadata: the recorded request has {"user_id":"u-1"}, your agent sends nothing here',
      ],
    ],
    [
      'the system prompt',
      { system: `${'You are kind. '.repeat(9)}Be brief.` },
      { request: { ...request, system: [{ type: 'text', text: `${'You are kind. '.repeat(9)}Be thorough.` }] } },
      ['system: recorded …u are kind. Be brief.", your agent sends …u are kind. Be thorough."'],
    ],
    [
      'a cache breakpoint of the system prompt',
      { system: [{ type: 'text', text: 'Hi', cache_control: { type: 'ephemeral' } }] },
      { request: { ...request, system: [{ type: 'text', text: 'Hi' }] } },
      ['system: recorded [{"type":"text","text":"Hi","cache_control":{"type":"ephemer…, your agent sends "Hi"'],
    ],
    [
      'the form of the system prompt, which is none',
      { system: 'Hi' },
      { request: { ...request, system: [{ type: 'text', text: 'Hi' }] } },
      [],
    ],
    ['a field that is null, which is none', { tool_choice: null }, {}, []],
    [
      'tools that one of them lacks',
      { tools: [lookUp, { type: 'web_search_20250305', name: 'web_search' }] },
      {},
      [
        'tools["web_search"]: the recorded loop offers this tool, your agent does not',
        'tools["charge"]: your agent offers this tool, the recorded loop does not',
      ],
    ],
    [
      'the schema of a tool, at its path',
      {
        tools: definitions.map((tool) => ({
          ...tool,
          input_schema: { ...tool.input_schema, properties: { order: { type: 'string' } } },
        })),
      },
      {},
      [
        'tools["look_up"].input_schema.properties: the recorded request has {"order":{"type":"string"}}, your agent sends nothing here',
        'tools["charge"].input_schema.properties: the recorded request has {"order":{"type":"string"}}, your agent sends nothing here',
      ],
    ],
    [
      'the order of the tools',
      { tools: definitions.toReversed() },
      {},
      ['tools: recorded in the order charge, look_up; your agent sends look_up, charge'],
    ],
  ])('names %s', async (_, change, options, expected) => {
    const { differences, equal } = await compareRequest(
      await recorded(change),
      agentWith(() => options),
    )
    expect([told(differences), equal]).toEqual([expected, expected.length === 0])
  })

  it('names betas and messages', async () => {
    const reminder: Partial<AgentOptions> = {
      use: [
        {
          name: 'reminder',
          turn: (scope, next) => {
            const messages = [...scope.request.messages, { role: 'user' as const, content: 'Be brief.' }]
            return next({ ...scope, request: { ...scope.request, messages } })
          },
        },
      ],
    }
    const cassette = await recorded({}, {}, ['context-1m-2025-08-07', 'files-api-2025-04-14'])
    const { differences } = await compareRequest(
      cassette,
      agentWith(() => reminder),
    )
    expect(told(differences)).toEqual([
      'betas: the recorded request has ["context-1m-2025-08-07","files-api-2025-04-14"], your agent sends nothing here',
      'messages[1]: your agent sends {"role":"user","content":[{"type":"text","text":"Be brief."}…, the recorded request has nothing here',
    ])
    const betas = ['files-api-2025-04-14', 'context-1m-2025-08-07']
    const same = agentWith((client) => ({ client: client.beta, request: { ...request, betas } }))
    expect(await compareRequest(cassette, same)).toMatchObject({ equal: true })
  })

  it('does not compare what was redacted', async () => {
    const cassette = await recorded(
      { system: '[redacted 12]', metadata: { user_id: '[redacted 13]', tries: 4 } },
      { redacted: ['system', 'metadata'] },
    )
    const system = 'A secret prompt.'
    const same = agentWith(() => ({ request: { ...request, system, metadata: { user_id: 'u-9', tries: 99 } } }))
    expect(await compareRequest(cassette, same)).toMatchObject({
      equal: true,
      notes: ['redacted, and so not compared: system, metadata'],
    })
    const without = await compareRequest(
      cassette,
      agentWith(() => ({ request: { ...request, system } })),
    )
    expect(without.differences.map(({ path }) => path)).toEqual(['metadata'])
  })

  it('says why an agent sends no request', async () => {
    const closed = (): Agent => ({
      run() {
        throw new Error('not open yet')
      },
    })
    const { differences } = await compareRequest(await recorded(), closed)
    expect(told(differences)).toEqual(['request: your agent sends none: not open yet'])
  })

  it('rejects with what makeAgent throws, and with the reason of its signal', async () => {
    const failing = (): Agent => {
      throw new Error('no database')
    }
    await expect(compareRequest(await recorded(), failing)).rejects.toThrow('no database')
    const signal = AbortSignal.abort('enough')
    await expect(compareRequest(await recorded(), agentWith(), { signal })).rejects.toBe('enough')
    const options: unknown = Reflect.apply(compareRequest, undefined, [
      await recorded(),
      agentWith(),
      { sginal: signal },
    ])
    await expect(options).rejects.toThrow('unknown option "sginal"; did you mean "signal"?')
  })
})

describe('a report on many first requests', () => {
  it('tells a difference once, and how many cassettes show it', async () => {
    const cassettes = [await recorded(), await recorded({ max_tokens: 7 }), await recorded({ max_tokens: 7 })]
    const reports = await Promise.all(cassettes.map((cassette) => compareRequest(cassette, agentWith())))
    expect(formatRequestReports(reports)).toEqual([
      'max_tokens: recorded 7, your agent sends 1000 (2 of 3 cassettes)',
      '3 first requests: 1 equal, 2 different',
    ])
    expect(formatRequestReports(reports.slice(1))[0]).toMatch(/\(all of 2 cassettes\)$/)
  })
})

describe('loadAgent', () => {
  const module = new URL('loops/agent.ts', import.meta.url).pathname

  function load(name?: string, from = module): Promise<MakeAgent> {
    const { fetch } = globalThis
    onTestFinished(() => {
      globalThis.fetch = fetch
    })
    return loadAgent(from, name)
  }

  it.each([undefined, 'ownClient'])('takes an agent, or a function that makes one: export %s', async (name) => {
    const cassette = await recorded({ tools: shopDefinitions })
    expect(await compareRequest(cassette, await load(name))).toMatchObject({ equal: true })
  })

  it.each([
    ['wordyy', /agent\.ts has no export "wordyy"; did you mean "wordy"\?$/],
    ['zebra', /agent\.ts has no export "zebra"; it has broken, default, ownClient, words, wordy$/],
    ['words', /export "words" of \S+agent\.ts must be an agent, or a function that makes one given a client$/],
  ])('refuses the export %s', async (name, message) => {
    await expect(load(name)).rejects.toMatchObject({ code: 'agent_failed', message: expect.stringMatching(message) })
  })

  it('says why a module or its function fails', async () => {
    await expect(load(undefined, './nowhere.ts')).rejects.toThrow(/^\.\/nowhere\.ts could not be loaded: /)
    await expect(compareRequest(await recorded(), await load('broken'))).rejects.toThrow('broken() failed: no database')
  })
})
