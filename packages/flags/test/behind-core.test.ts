import Anthropic from '@anthropic-ai/sdk'
import { type AgentEvent, checksum, createAgent, defineTool, type FlagClient } from '@millrace/core'
import { memoryStateStore } from '@millrace/core/memory'
import { type ScriptedClaude, startClaude, text, toolUse } from '@millrace/testing'
import { type Hook, OpenFeature, type Provider, TypedInMemoryProvider } from '@openfeature/server-sdk'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { changeFlag, changeKill } from '../src/change-flag.ts'
import { changeStateFlags } from '../src/change-state-flags.ts'
import { combineFlags } from '../src/combine-flags.ts'
import { fixedFlags } from '../src/fixed-flags.ts'
import type { FlagSourceEvent, LocalFlagSource } from '../src/source.ts'
import { stateFlags } from '../src/state-flags.ts'

const answer = 'The order is on its way.'
let claude: ScriptedClaude

beforeEach(async () => {
  claude = await startClaude({ script: [{ content: [toolUse('look_up', {})] }, { content: [text(answer)] }] })
})
afterEach(async () => {
  await claude.close()
  await OpenFeature.close()
})

interface Outcome {
  readonly outcome: string
  readonly text: string
  readonly decision: unknown
  readonly modes: readonly string[]
}

/** One run of two turns, with a tool between them that does `during`. */
async function run(
  flags: FlagClient,
  options: { mode?: 'auto' | 'stream'; during?: () => Promise<void> } = {},
): Promise<Outcome> {
  const { mode = 'auto', during = async () => {} } = options
  const lookUp = defineTool({
    name: 'look_up',
    description: 'Looks an order up.',
    inputSchema: { jsonSchema: { type: 'object' } },
    async run() {
      await during()
      return 'sent'
    },
  })
  const agent = createAgent({
    client: new Anthropic({ baseURL: claude.url, apiKey: 'test' }),
    request: { model: 'claude-sonnet-5', max_tokens: 1000 },
    tools: [lookUp],
    flags,
  })
  const events: AgentEvent[] = []
  const running = agent.run({ messages: [{ role: 'user', content: 'Where is it?' }], mode, user: 'u1' })
  for await (const event of running) events.push(event)
  const result = await running.result
  return {
    outcome: result.outcome,
    text: result.text,
    decision: events.find((event) => event.type === 'run.started')?.decision,
    modes: events.flatMap((event) => (event.type === 'turn.started' ? [event.mode] : [])),
  }
}

async function openFeature(provider: Provider, hook?: Hook): Promise<FlagClient> {
  await OpenFeature.setProviderAndWait('core', provider)
  const client = OpenFeature.getClient('core')
  return hook === undefined ? client : client.addHooks(hook)
}

const memory = (): Provider =>
  new TypedInMemoryProvider({
    use_streaming: { variants: { on: true, off: false }, defaultVariant: 'on', disabled: false },
  })

function providerThat(resolve: () => Promise<never>): Provider {
  return {
    metadata: { name: 'broken' },
    resolveBooleanEvaluation: resolve,
    resolveStringEvaluation: resolve,
    resolveNumberEvaluation: resolve,
    resolveObjectEvaluation: resolve,
  }
}

const throwing: Hook = {
  after() {
    throw new Error('telemetry is down')
  },
}

describe('an OpenFeature client behind core', () => {
  it('decides a run', async () => {
    expect(await run(await openFeature(memory()))).toMatchObject({
      outcome: 'completed',
      text: answer,
      decision: { mode: 'stream', arm: 'streaming', reason: 'flag', variant: 'on' },
      modes: ['stream', 'stream'],
    })
  })

  it.each([
    ['hangs', () => openFeature(providerThat(() => new Promise(() => {}))), 'flag_timeout'],
    ['throws', () => openFeature(providerThat(() => Promise.reject(new Error('down')))), 'flag_error'],
    ['has a hook that throws', () => openFeature(memory(), throwing), 'flag_error'],
  ])('that %s costs a run its stream and nothing else', async (_, make, reason) => {
    const flags = await make()
    for (const client of [flags, combineFlags({ sources: [flags] })]) {
      expect(await run(client)).toMatchObject({
        outcome: 'completed',
        text: answer,
        decision: { mode: 'buffered', arm: 'control' },
        modes: ['buffered', 'buffered'],
      })
    }
    expect(await run(flags)).toMatchObject({ decision: { reason } })
  })
})

describe('the kill switch', () => {
  const store = memoryStateStore()
  const by = 'ada'
  let source: LocalFlagSource

  beforeEach(async () => {
    await changeStateFlags({ store, by }, (document) =>
      changeKill(changeFlag(document, 'use_streaming', { percent: 100 }), false),
    )
    source = stateFlags({ store })
    await source.ready()
  })
  afterEach(() => source.close())

  async function pull(): Promise<void> {
    const changed = new Promise<FlagSourceEvent>((resolve) => source.onChange(resolve))
    await changeStateFlags({ store, by }, (document) => changeKill(document, true))
    await changed
  }

  it.each(['auto', 'stream'] as const)('buffers the next turn of a run of mode %s', async (mode) => {
    expect(await run(source, { mode, during: pull })).toMatchObject({
      outcome: 'completed',
      text: answer,
      decision: { mode: 'stream' },
      modes: ['stream', 'buffered'],
    })
  })

  it.each(['auto', 'stream'] as const)('stops a new run of mode %s from streaming', async (mode) => {
    await pull()
    expect(await run(source, { mode })).toMatchObject({
      outcome: 'completed',
      text: answer,
      decision: { mode: 'buffered', reason: 'killed' },
      modes: ['buffered', 'buffered'],
    })
  })
})

describe('a percentage behind core', () => {
  it('gives the decision its reason and a checksum of the user, not the user', async () => {
    const source = fixedFlags(changeFlag({ flags: {} }, 'use_streaming', { percent: 100 }))
    const { decision } = await run(source)
    expect(decision).toMatchObject({ reason: 'flag', flagReason: 'SPLIT', unit: checksum('u1') })
    expect(JSON.stringify(decision)).not.toContain('u1')
  })
})
