import Anthropic from '@anthropic-ai/sdk'
import { type AgentRun, type Clock, createAgent, defineTool, type FlagClient, systemClock } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore } from '@millrace/core/memory'
import type { Telemetry } from '@millrace/telemetry'
import {
  type Conversation,
  type Fault,
  type ScriptedClaude,
  startClaude,
  text,
  toolUse,
  type Turn,
} from '@millrace/testing'
import { deferred } from '@millrace/testing/async'
import { type Measured, watchedLoop } from './monitored-loop.ts'

/** What a run may meet, by the word in its question. */
export const streamingKinds = [
  'clean',
  /** The second turn is cut once, after text; asked again, the model says something else. */
  'cut',
  /** Every stream of the second turn is cut; without streaming it comes. */
  'cut_often',
  /** No stream comes, and what comes without is slow. */
  'slow',
  /** The API refuses the request, and the existing loop answers. */
  'rejected',
  /** The same, and the existing loop fails as well. */
  'hopeless',
  'tool_fails',
  'cancelled',
  'truncated',
  'refused',
] as const

/** The same for the control group. */
export const controlKinds = ['control', 'control_fails'] as const

export type Kind = (typeof controlKinds | typeof streamingKinds)[number]

/** A clock on which the breaker's window never ends, and it stays open. */
const standing: Clock = { now: () => 0, setTimer: systemClock.setTimer }

const usage = {
  input_tokens: 100,
  cache_read_input_tokens: 20,
  cache_creation_input_tokens: 30,
  output_tokens: 10,
  output_tokens_details: { thinking_tokens: 5 },
}

function kindOf({ messages }: Pick<Conversation, 'messages'>): string {
  return /<(\w+)>/.exec(JSON.stringify(messages[0]))?.[1] ?? ''
}

function script(conversation: Conversation): Turn {
  const kind = kindOf(conversation)
  const { turn, attempt } = conversation
  if (kind === 'refused') return { content: [], stopReason: 'refusal', usage }
  if (turn === 1) return { content: [text('I look.'), toolUse('find_order', { kind })], usage }
  const said = kind === 'cut' && attempt > 1 ? 'Other words, all of them.' : 'The order is on its way.'
  return { content: [text(said)], usage, ...(kind === 'truncated' && { stopReason: 'max_tokens' }) }
}

function faults(conversation: Conversation): Fault | undefined {
  const { turn, attempt, stream } = conversation
  const cut: Fault = { kind: 'destroy', at: { event: 5 } }
  switch (kindOf(conversation)) {
    case 'cut':
      return turn === 2 && attempt === 1 ? cut : undefined
    case 'cut_often':
      return turn === 2 && stream ? cut : undefined
    case 'slow':
      return stream ? cut : { kind: 'slow-headers', ms: 300 }
    case 'cancelled':
      return turn === 2 ? { kind: 'stall', at: { event: 5 } } : undefined
    case 'rejected':
    case 'hopeless':
      return { kind: 'status', status: 400 }
    default:
      return undefined
  }
}

/** Streaming for every user but those of the control group. */
const flags: FlagClient = {
  getBooleanDetails: (key, _fallback, context) => ({
    value: key === 'use_streaming' && !context?.targetingKey?.startsWith('control'),
  }),
}

async function findOrder(input: unknown): Promise<string> {
  if (JSON.stringify(input).includes('tool_fails')) throw new Error('The shelf is empty')
  return 'Found'
}

/** Needs no model: it looks up, and answers. */
async function executeAgentLoop(question: string, find: typeof findOrder): Promise<string> {
  await find({})
  if (question.includes('fails') || question.includes('hopeless')) throw new Error('The old loop failed')
  return 'The order is on its way.'
}

/** What drives runs of one application. */
export interface Driver extends AsyncDisposable {
  /** One run of each of these kinds, eight at a time. */
  drive(kinds: readonly Kind[]): Promise<void>
  /** A run whose process dies, and which is gone on with here. */
  takeOver(): Promise<void>
}

export async function startDriver(measure: (clock: Clock) => Measured): Promise<Driver & Pick<Measured, 'server'>> {
  const claude = await startClaude({ script, faults })
  const client = new Anthropic({ apiKey: 'any', baseURL: claude.url })
  const measured = measure(standing)
  const loop = watchedLoop({ ...measured, client, clock: standing, flags, findOrder, executeAgentLoop })

  async function finish(run: AgentRun, kind: Kind): Promise<void> {
    for await (const event of run) {
      if (kind === 'cancelled' && event.type === 'text.delta' && event.turn === 2) run.interrupt('user')
    }
  }

  return {
    server: measured.server,
    async drive(kinds) {
      const queue = kinds.values()
      const worker = async (): Promise<void> => {
        for (const kind of queue) await finish(loop.run(`<${kind}> Where is it?`, kind), kind)
      }
      await Promise.all(Array.from({ length: 8 }, worker))
    },
    takeOver: () => takeOver(claude, measured.watch),
    async [Symbol.asyncDispose]() {
      measured.watch.close()
      await claude.close()
    },
  }
}

async function takeOver(claude: ScriptedClaude, watch: Telemetry): Promise<void> {
  let skipped = 0
  const store = memoryRunStore({ clock: { ...systemClock, now: () => Date.now() + skipped } })
  const agentOf = (use: readonly Telemetry[], clock: Clock, run: () => Promise<string>) =>
    createAgent({
      client: new Anthropic({ apiKey: 'any', baseURL: claude.url }),
      request: { model: 'claude-opus-5-5', max_tokens: 4096 },
      tools: [
        defineTool({
          name: 'find_order',
          description: 'Finds an order.',
          inputSchema: { jsonSchema: { type: 'object' } },
          readOnly: true,
          run,
        }),
      ],
      use,
      journal: runJournal(store),
      runtime: { clock },
    })
  const death = deferred()
  // In a dead process no timer fires, and no tool returns.
  const stopped: Clock = { now: () => Date.now(), setTimer: () => () => {} }
  const dying = agentOf([], stopped, () => {
    death.resolve()
    return new Promise<string>(() => {})
  })
  const { runId } = dying.run({ messages: [{ role: 'user', content: '<clean> Where is it?' }] })
  await death.promise
  skipped = 60_000
  const taken = await agentOf([watch], systemClock, async () => 'Found').resume(runId)
  if (taken.status !== 'resumed') throw new Error(`the run was not taken over: ${taken.status}`)
  const { outcome } = await taken.run.result
  if (outcome !== 'completed') throw new Error(`the run that was taken over ${outcome}`)
}
