import Anthropic from '@anthropic-ai/sdk'
import {
  adaptLoop,
  type AgentRun,
  createAgent,
  createCircuitBreaker,
  createRetryBudget,
  defineTool,
  type FlagClient,
  systemClock,
} from '@millrace/core'
import { type Conversation, type Fault, startClaude, text, toolUse, type Turn } from '@millrace/testing'
import type { Telemetry } from '../src/index.ts'

export const model = 'claude-opus-5-5'

/** How many runs go which way: 60 that stream, 40 of the control group. */
export const plan = {
  clean: 20,
  /** The second turn is cut once, after text; asked again, the model says something else. */
  cut: 10,
  /** Every stream of the second turn is cut; without streaming it comes. */
  cutOften: 8,
  /** The API refuses the request. */
  rejected: 6,
  /** The same, and the old loop fails as well. */
  hopeless: 4,
  toolFails: 5,
  cancelled: 4,
  truncated: 2,
  refused: 1,
  control: 33,
  controlFails: 5,
  controlCancelled: 2,
} as const

const kinds: readonly string[] = Object.keys(plan)

const isControl = (kind: string): boolean => kind.startsWith('control')

const usage = { input_tokens: 100, cache_read_input_tokens: 20, output_tokens: 10 }

function kindOf({ messages }: Pick<Conversation, 'messages'>): string {
  const said = JSON.stringify(messages[0])
  return kinds.find((kind) => said.includes(`<${kind}>`)) ?? 'clean'
}

function script(conversation: Conversation): Turn {
  const kind = kindOf(conversation)
  const { turn, attempt } = conversation
  if (kind === 'refused') return { content: [], stopReason: 'refusal', usage }
  if (turn === 1) {
    const tool = kind === 'toolFails' ? 'charge' : 'look_up'
    return { content: [text('I look.'), toolUse(tool)], usage }
  }
  const said = kind === 'cut' && attempt > 1 ? 'Other words, all of them.' : 'The order is on its way.'
  return { content: [text(said)], usage, ...(kind === 'truncated' && { stopReason: 'max_tokens' }) }
}

function faults(conversation: Conversation): Fault | undefined {
  const { turn, attempt, stream } = conversation
  switch (kindOf(conversation)) {
    case 'cut':
      return turn === 2 && attempt === 1 ? { kind: 'destroy', at: { event: 5 } } : undefined
    case 'cutOften':
      return turn === 2 && stream ? { kind: 'destroy', at: { event: 5 } } : undefined
    case 'cancelled':
    case 'controlCancelled':
      return turn === 2 ? { kind: 'stall', at: { event: 5 } } : undefined
    case 'rejected':
    case 'hopeless':
    case 'controlFails':
      return { kind: 'status', status: 400 }
    default:
      return undefined
  }
}

const schema = { jsonSchema: { type: 'object' } } as const

const tools = [
  defineTool({ name: 'look_up', description: 'Looks up.', inputSchema: schema, run: async () => 'Found' }),
  defineTool({
    name: 'charge',
    description: 'Charges.',
    inputSchema: schema,
    async run() {
      throw new Error('The card was declined')
    },
  }),
]

/** Flags that turn streaming on by an attribute of the user. */
const flags: FlagClient = {
  getBooleanDetails: (key, _fallback, context) => ({ value: key === 'use_streaming' && context?.['streams'] === true }),
}

/** Runs the whole plan, through an agent alone or through an adapted loop. */
export async function runPlan(through: 'adaptLoop' | 'agent', watch: Telemetry): Promise<void> {
  await using claude = await startClaude({ script, faults })
  const agent = createAgent({
    client: new Anthropic({ apiKey: 'any', baseURL: claude.url }),
    request: { model, max_tokens: 1000 },
    tools,
    use: [watch],
    flags,
    recovery: {
      backoff: 0,
      breaker: createCircuitBreaker({ clock: systemClock, minimumAttempts: 1_000_000 }),
      budget: createRetryBudget({ clock: systemClock, minimum: 1_000_000 }),
    },
  })
  const cancel = new AbortController()
  const inputOf = (kind: string) => ({ messages: [{ role: 'user' as const, content: `<${kind}> Where is it?` }] })
  const contextOf = (kind: string) => ({ targetingKey: 'user-1', streams: !isControl(kind) })
  const loop = adaptLoop({
    legacy: async (kind: string, signal: AbortSignal): Promise<string> => {
      if (kind === 'controlCancelled') {
        cancel.abort()
        signal.throwIfAborted()
      }
      if (kind === 'hopeless' || kind === 'controlFails') throw new Error('The old loop failed')
      return 'The order is on its way.'
    },
    agent,
    toInput: inputOf,
    fromResult: (result) => result.text,
    flags,
    context: contextOf,
    onEvent: watch.onEvent,
  })
  const start = (kind: string): AgentRun =>
    through === 'adaptLoop'
      ? loop.run(kind, kind === 'controlCancelled' ? cancel.signal : new AbortController().signal)
      : agent.run({ ...inputOf(kind), user: contextOf(kind) })

  async function once(kind: string): Promise<void> {
    const run = start(kind)
    for await (const event of run) {
      if (kind === 'cancelled' && event.type === 'text.delta' && event.turn === 2) run.interrupt('user')
      // Without streaming nothing is seen of a turn before it is whole.
      if (kind === 'controlCancelled' && event.type === 'turn.started' && event.turn === 2) run.interrupt('user')
    }
  }
  const all = Object.entries(plan).flatMap(([kind, count]) => Array.from({ length: count }, () => kind))
  const queue = all.values()
  await Promise.all(
    Array.from({ length: 8 }, async () => {
      for (const kind of queue) await once(kind)
    }),
  )
}
