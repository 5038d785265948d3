import Anthropic from '@anthropic-ai/sdk'
import type { AgentEvent, FlagClient, MillraceError } from '@millrace/core'
import { continuePrompt, createHistoryFold, createShownText } from '@millrace/core/reduce'
import { startClaude, text, toolUse, type FaultPlan } from '@millrace/testing'
import { afterEach, describe, expect, it } from 'vitest'
import { createFetch } from '../src/index.ts'
import { observeTool, reportProgress, streamInPlace, type StreamInPlaceOptions } from '../src/in-place/index.ts'
import { Assistant, testAssistant } from '@millrace/legacy-loops/class-method'
import {
  createOptionsLoop,
  shopTools,
  testOptionsLoop,
  testOptionsLoopCallbacks,
} from '@millrace/legacy-loops/options-object'
import { createPositionalLoop, testPositionalLoop } from '@millrace/legacy-loops/positional'
import { openShop, questions, shopScript, wholeText } from '@millrace/legacy-loops/shop'

const closing: (() => Promise<void>)[] = []
afterEach(async () => {
  await Promise.all(closing.splice(0).map((close) => close()))
})

type Script = Parameters<typeof startClaude>[0]['script']

async function setUp(script: Script, faults: FaultPlan = []) {
  const claude = await startClaude({ script, faults })
  closing.push(() => claude.close())
  const warnings: MillraceError[] = []
  const fetch = createFetch({ recovery: { backoff: 0 } })
  const client = new Anthropic({ baseURL: claude.url, apiKey: 'any', fetch, maxRetries: 0 })
  const plain = new Anthropic({ baseURL: claude.url, apiKey: 'any', maxRetries: 0 })
  return { claude, fetch, client, plain, warnings, shop: openShop() }
}

const flags = (on: boolean): FlagClient => ({
  getBooleanDetails: (key, fallback) => ({ value: key === 'use_streaming' ? on : fallback }),
})

const cuts: FaultPlan = [{ kind: 'destroy', at: { event: 5 }, stream: true, attempt: 1 }]

describe.each([
  ['flag off', false, []],
  ['flag on', true, []],
  ['flag on, each stream cut once', true, cuts],
] as const)('the tests that a loop came with pass in place, %s', (_, on, faults) => {
  testOptionsLoop(async () => {
    const { client, fetch, shop } = await setUp(shopScript, faults)
    return { loop: streamInPlace({ loop: createOptionsLoop(client, shopTools(shop)), fetch, flags: flags(on) }), shop }
  })
  testOptionsLoopCallbacks(async () => {
    const { client, fetch, shop } = await setUp(shopScript, faults)
    return { loop: streamInPlace({ loop: createOptionsLoop(client, shopTools(shop)), fetch, flags: flags(on) }), shop }
  })
  testPositionalLoop(async () => {
    const { client, fetch, shop } = await setUp(shopScript, faults)
    return {
      loop: streamInPlace({ loop: createPositionalLoop(client, shopTools(shop)), fetch, flags: flags(on) }),
      shop,
    }
  })
  testAssistant(async () => {
    const { client, fetch, shop } = await setUp(shopScript, faults)
    const assistant = new Assistant(client, shopTools(shop))
    assistant.ask = streamInPlace({ loop: Assistant.prototype.ask, fetch, flags: flags(on) })
    return { assistant, shop }
  })
})

type LoopOptions = Parameters<ReturnType<typeof createOptionsLoop>>[0]

async function runOf(
  on: boolean,
  faults: FaultPlan = [],
  more: Partial<StreamInPlaceOptions<unknown, [LoopOptions], { response: string }>> = {},
) {
  const setting = await setUp(shopScript, faults)
  const { client, fetch, shop, warnings } = setting
  const loop = streamInPlace({
    loop: createOptionsLoop(client, shopTools(shop)),
    fetch,
    flags: flags(on),
    textOf: ({ response }) => response,
    onWarning: (error) => warnings.push(error),
    ...more,
  })
  const run = loop.run({ userInput: questions.charge, conversationHistory: [] })
  const events: AgentEvent[] = []
  for await (const event of run) events.push(event)
  return { ...setting, events, result: await run.result }
}

describe('events of a loop in place', () => {
  it.each([
    ['off', false, []],
    ['on', true, []],
    ['on, with cuts', true, cuts],
  ] as const)('reduce to the text and the history of the loop, flag %s', async (_, on, faults) => {
    const { events, result } = await runOf(on, faults)
    const shown = createShownText()
    const fold = createHistoryFold(continuePrompt)
    for (const event of events) {
      shown.apply(event)
      fold.apply(event)
    }
    expect(saidIn(shown)).toBe(wholeText(questions.charge))
    expect(fold.messages.slice(0, result.newMessages.length)).toEqual(result.newMessages)
    expect(result.outcome).toBe('completed')
    expect(result.newMessages.length).toBeGreaterThan(0)
    expect(events.filter(({ type }) => type === 'tool.started')).toHaveLength(1)
    expect(events.filter(({ type }) => type === 'tool.finished')).toMatchObject([
      { name: 'charge', outcome: 'ok', result: 'Charged 500 for 17' },
    ])
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_event, index) => index + 1))
  })

  it('show text while the model writes it, though the loop does not stream', async () => {
    const { events } = await runOf(true)
    expect(events.filter(({ type }) => type === 'text.delta').length).toBeGreaterThan(1)
    expect(events.find(({ type }) => type === 'turn.started')).toMatchObject({ mode: 'stream' })
  })

  it('leave the requests as they were, byte for byte, with the flag off', async () => {
    const { claude } = await runOf(false)
    const { claude: other, plain, shop } = await setUp(shopScript)
    await createOptionsLoop(plain, shopTools(shop))({ userInput: questions.charge, conversationHistory: [] })
    const bodies = (server: typeof claude): unknown[] => server.requests.map(({ body }) => scrubbed(body))
    expect(bodies(claude)).toEqual(bodies(other))
  })
})

function saidIn(shown: ReturnType<typeof createShownText>): string {
  const blocks = shown.turns.flatMap((turn) => shown.blocks(turn))
  return blocks.map(({ kind, text: words }) => (kind === 'text' ? words : '')).join('')
}

/** Ids that the server draws anew for each conversation. */
function scrubbed(body: unknown): string {
  return JSON.stringify(body).replaceAll(/toolu_\w+/g, 'toolu')
}

const twoCalls: Script = [
  { content: [text('Two.'), toolUse('count', { to: 1 }), toolUse('count', { to: 2 })] },
  { content: [text('Done.')] },
]

/** A loop around the tool runner of the SDK. */
function runnerLoop(client: Anthropic, run: (input: unknown) => string | Promise<string>): () => Promise<string> {
  return async () => {
    const runner = client.beta.messages.toolRunner({
      model: 'claude-sonnet-5-5',
      max_tokens: 1000,
      messages: [{ role: 'user', content: 'Count.' }],
      tools: [
        {
          type: 'custom',
          name: 'count',
          description: 'Counts.',
          input_schema: { type: 'object', properties: { to: { type: 'number' } } },
          parse: (input) => input,
          run,
        },
      ],
      thread: false,
    })
    const { content } = await runner
    return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
  }
}

describe('a loop on the tool runner', () => {
  it.each([false, true])('gives its events, flag on: %s', async (on) => {
    const { client, fetch, warnings } = await setUp(twoCalls)
    const events: AgentEvent[] = []
    const loop = streamInPlace({
      loop: runnerLoop(
        client,
        observeTool('count', async (input: unknown) => {
          reportProgress({ message: JSON.stringify(input) })
          return 'counted'
        }),
      ),
      fetch,
      flags: flags(on),
      onEvent: (event) => events.push(event),
      onWarning: (error) => warnings.push(error),
    })
    expect(await loop()).toBe('Done.')
    expect(warnings).toEqual([])
    expect(events.filter(({ type }) => type === 'tool.finished')).toHaveLength(2)
    const progress = events.filter(({ type }) => type === 'tool.progress')
    expect(progress).toMatchObject(on ? [{ message: '{"to":1}' }, { message: '{"to":2}' }] : [])
  })

  it('is told of progress that belongs to no call', async () => {
    const { client, fetch, warnings } = await setUp(twoCalls)
    const loop = streamInPlace({
      loop: runnerLoop(client, () => {
        reportProgress({ message: 'which?' })
        return 'counted'
      }),
      fetch,
      flags: flags(true),
      onWarning: (error) => warnings.push(error),
    })
    await loop()
    expect(warnings.map(({ message }) => message)).toContain(
      'reportProgress() cannot tell which call it is for; wrap the tool in observeTool()',
    )
  })
})

it('keeps the events of runs apart that are under way at once', async () => {
  const { client, fetch, shop } = await setUp(shopScript)
  const loop = streamInPlace({ loop: createOptionsLoop(client, shopTools(shop)), fetch, flags: flags(true) })
  const asked = [questions.hello, questions.charge, questions.lookUp]
  const shown = await Promise.all(
    asked.map(async (userInput) => {
      const run = loop.run({ userInput, conversationHistory: [] })
      const view = createShownText()
      for await (const event of run) view.apply(event)
      return saidIn(view)
    }),
  )
  expect(shown).toEqual(asked.map(wholeText))
})

it('tells a loop that leaves a request behind when its run is over', async () => {
  const { client, fetch, warnings } = await setUp([{ content: [text('Hello.')] }])
  const request = { model: 'm', max_tokens: 10, messages: [{ role: 'user' as const, content: 'Hello' }] }
  let late: Promise<unknown> = Promise.resolve()
  let release: () => void = () => {}
  const gate = new Promise<void>((resolve) => (release = resolve))
  const loop = streamInPlace({
    loop: async () => {
      late = gate.then(() => client.messages.create(request))
      return 'done'
    },
    fetch,
    flags: flags(true),
    onWarning: (error) => warnings.push(error),
  })
  expect(await loop()).toBe('done')
  release()
  await late
  expect(warnings.map(({ message }) => message)).toEqual([expect.stringContaining('which is over')])
})

it('stops streaming in the middle of a run when the kill switch is pulled', async () => {
  let killed = false
  const kill: FlagClient = {
    getBooleanDetails: (key, fallback) => {
      if (key === 'use_streaming.kill') return { value: killed }
      return { value: key === 'use_streaming' ? true : fallback }
    },
  }
  const { events, claude } = await runOf(true, [], {
    flags: kill,
    onEvent: ({ type }) => {
      if (type === 'tool.started') killed = true
    },
  })
  expect(events.find(({ type }) => type === 'fallback')).toMatchObject({ turn: 2, to: 'legacy', reason: 'killed' })
  expect(claude.requests.map(({ stream }) => stream)).toEqual([true, false])
})

it('is an agent as well', async () => {
  const { client, fetch } = await setUp([{ content: [text('Hello.')] }])
  const loop = streamInPlace({
    loop: async (question: string) => {
      const { content } = await client.messages.create({
        model: 'm',
        max_tokens: 10,
        messages: [{ role: 'user', content: question }],
      })
      return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
    },
    fetch,
    fromInput: ({ messages }): [string] => [String(messages.at(-1)?.content)],
  })
  const run = loop.toAgent().run({ messages: [{ role: 'user', content: 'Hello' }], mode: 'stream', runId: 'run-1' })
  expect(await run.result).toMatchObject({ runId: 'run-1', outcome: 'completed', text: 'Hello.' })
})

it('refuses a fetch that createFetch has not made', () => {
  expect(() => streamInPlace({ loop: async () => 'x', fetch: globalThis.fetch })).toThrow(
    'fetch must be one that createFetch made',
  )
})
