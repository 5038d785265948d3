import Anthropic from '@anthropic-ai/sdk'
import { createClient, viewText } from '@millrace/client'
import { type AgentEvent, createAgent, defineTool } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createHandler, type DrainReport, type Handler } from '@millrace/server'
import { sqliteStores } from '@millrace/store-sqlite'
import { type ClaudeOptions, startClaude, text, toolUse } from '@millrace/testing'
import { expect, onTestFinished, test } from 'vitest'

const deploys = 10

type Stores = ReturnType<typeof sqliteStores>

const said = (turn: number): string => `This is what I say in turn ${turn}, before I do something. `

/** Ten turns with a call each, and the answer. In every second one the model falls silent in the middle of its text. */
const script: ClaudeOptions['script'] = ({ turn }) =>
  turn > deploys
    ? { content: [text('All ten steps are done.')] }
    : { content: [text(said(turn)), toolUse('step', { turn }, { id: `toolu_${turn}` })] }

const silentTurns = Array.from({ length: deploys / 2 }, (_, index) => 2 * index + 2)

/** Instances of one service, of which one takes requests, as behind a load balancer. */
async function startService(kind: 'memory' | 'shared' | 'sqlite') {
  const durable = kind !== 'memory'
  const claude = await startClaude({
    script,
    faults: silentTurns.map((turn) => ({ kind: 'stall', at: { event: 6 }, turn, attempt: 1 })),
  })
  onTestFinished(() => claude.close())
  const inMemory = { runs: { ...memoryRunStore(), durable }, sessions: memorySessionStore() }
  const folder = mkdtempSync(join(tmpdir(), 'rolling-deploys-'))
  const opened: Stores[] = []
  onTestFinished(async () => {
    await Promise.all(opened.map((stores) => stores.close()))
    rmSync(folder, { recursive: true })
  })

  /** Each instance opens the file itself, as a process of its own does. */
  function openStores(): Pick<Stores, 'runs' | 'sessions'> {
    if (kind !== 'sqlite') return inMemory
    const stores = sqliteStores({ path: join(folder, 'runs.db') })
    opened.push(stores)
    return stores
  }

  const effects: string[] = []
  const errors: unknown[] = []
  const drained: Promise<DrainReport>[] = []
  let current: Handler

  const step = defineTool({
    name: 'step',
    description: 'Does one step, which must not be done twice.',
    inputSchema: { jsonSchema: { type: 'object', properties: { turn: { type: 'integer' } } } },
    run(input, { idempotencyKey }) {
      effects.push(idempotencyKey)
      // A deploy that begins while the tool runs waits for it, within its grace period.
      if (isRecord(input) && Number(input['turn']) % 2 === 1) deploy(durable ? 60_000 : 0)
      return 'done'
    },
  })

  function createInstance(): Handler {
    const { runs, sessions } = openStores()
    const agent = createAgent({
      client: new Anthropic({ apiKey: 'sk-test', baseURL: claude.url, maxRetries: 0 }),
      request: { model: 'claude-opus-5-5', max_tokens: 1_000 },
      tools: [step],
      journal: runJournal(runs),
    })
    const onError = (error: unknown): void => void errors.push(error)
    return createHandler({ agent, runs, sessions, identify: () => 'ada', onError, moveRetry: 1 })
  }

  function deploy(graceMs: number): void {
    const before = current
    current = createInstance()
    drained.push(before.drain(graceMs))
  }

  current = createInstance()
  onTestFinished(async () => {
    await current.drain(0)
  })
  return {
    effects,
    errors,
    drained,
    load: async (sessionId: string) => openStores().sessions.load(sessionId),
    deploy,
    fetch: async (...args: Parameters<typeof fetch>) => current.fetch(new Request(...args)),
  }
}

test.each(['shared', 'sqlite'] as const)(
  'ten rolling deploys during one run (%s): one answer, no failure, each tool call once',
  async (kind) => {
    const service = await startService(kind)
    const client = createClient({ url: 'http://service.test', fetch: service.fetch, reconnect: { attempts: 0 } })
    const stream = client.start({ input: 'Do the ten steps.', sessionId: 'chat' })
    const events: AgentEvent[] = []
    for await (const event of stream) {
      if (event.type === 'reset' || event.type === 'unknown') throw new Error(event.type)
      events.push(event)
      if (event.type === 'text.delta' && silentTurns.includes(event.turn) && event.attempt === 1) service.deploy(0)
    }
    expect(await Promise.all(service.drained)).toEqual(
      Array.from({ length: deploys }, () => ({ finished: 0, moved: 1, interrupted: 0 })),
    )
    const ofType = (type: AgentEvent['type']): readonly AgentEvent[] => events.filter((event) => event.type === type)
    expect(ofType('run.moving')).toHaveLength(deploys)
    expect(ofType('run.resumed')).toHaveLength(deploys)
    expect(ofType('run.started')).toHaveLength(1)
    expect(ofType('turn.retracted')).toEqual([])
    expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
    expect(stream.view).toMatchObject({ status: 'finished', outcome: 'completed' })
    expect(stream.view).not.toHaveProperty('moving')
    expect(viewText(stream.view)).toBe('All ten steps are done.')
    expect(stream.view.tools.map(({ status }) => status)).toEqual(Array.from({ length: deploys }, () => 'ok'))
    expect(service.effects).toEqual(Array.from({ length: deploys }, (_, index) => `${stream.runId}:toolu_${index + 1}`))
    const { messages } = await service.load('ada/chat')
    const spoken = messages.filter(({ role }) => role === 'assistant').map(({ content }) => content)
    expect(spoken).toHaveLength(deploys + 1)
    expect(spoken[1]).toMatchObject([{ type: 'text', text: said(2) }, { type: 'tool_use' }])
    expect(service.errors).toEqual([])
  },
)

test('a deploy without a durable store interrupts the run', async () => {
  const service = await startService('memory')
  const client = createClient({ url: 'http://service.test', fetch: service.fetch })
  const stream = client.start({ input: 'Do the ten steps.' })
  for await (const _ of stream);
  expect(stream.view).toMatchObject({ status: 'finished', outcome: 'interrupted' })
  expect(service.effects).toHaveLength(1)
  expect(await Promise.all(service.drained)).toEqual([{ finished: 0, interrupted: 1 }])
})
