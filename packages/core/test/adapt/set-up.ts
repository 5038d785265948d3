import { type FaultPlan, type ScriptedClaude, text, toolUse, type Turn } from '@millrace/testing'
import {
  adaptLoop,
  type AdaptedInput,
  type AdaptedLoop,
  type AdaptLoopOptions,
  type AgentEvent,
  type AgentOptions,
  defineTool,
  type FlagClient,
  type HandedOver,
  type Message,
  type MillraceError,
} from '../../src/index.ts'
import { agentOn, claudeFor } from '../support/scripted.ts'

export interface Answer {
  readonly text: string
  readonly messages: readonly Message[]
}

export type Loop = AdaptedLoop<unknown, [question: string], Answer>

const script: readonly Turn[] = [
  { content: [text('I charge you. '), toolUse('charge', { cents: 5 }, { id: 'toolu_1' })] },
  { content: [text('All of it is done now.')] },
]

/** Nothing is asked twice: the first failure is the run's. */
export const noRetry: { streamRetries: number; bufferedRetries: number; extraRequests: number } = {
  streamRetries: 0,
  bufferedRetries: 0,
  extraRequests: 0,
}
export const secondTurnBreaks: FaultPlan = [{ kind: 'destroy', at: { event: 6 }, turn: 2, times: 'forever' }]
export const on: FlagClient = { getBooleanDetails: (key) => ({ value: key !== 'use_streaming.kill' }) }

export interface Setup {
  readonly loop: Loop
  readonly claude: ScriptedClaude
  readonly events: AgentEvent[]
  readonly warnings: MillraceError[]
  readonly charges: number[]
  /** The arguments and the `this` of each call of the existing loop. */
  readonly legacyCalls: { readonly self: unknown; readonly args: readonly unknown[] }[]
  readonly handed: HandedOver[]
}

export interface SetupOptions {
  readonly turns?: readonly Turn[]
  readonly faults?: FaultPlan
  readonly agent?: Partial<AgentOptions>
  readonly input?: Partial<AdaptedInput>
  readonly legacy?: (setup: Setup) => Promise<Answer>
  readonly adapt?: Partial<AdaptLoopOptions<unknown, [question: string], Answer>>
  /** Default: by history. */
  readonly handover?: 'none'
}

export const legacyAnswer: Answer = { text: 'The old way.', messages: [{ role: 'assistant', content: 'The old way.' }] }

export async function setUp(options: SetupOptions = {}): Promise<Setup> {
  const claude = await claudeFor(options.turns ?? script, { faults: options.faults ?? [] })
  const setup: Omit<Setup, 'loop'> = { claude, events: [], warnings: [], charges: [], legacyCalls: [], handed: [] }
  const charge = defineTool({
    name: 'charge',
    description: '',
    inputSchema: { jsonSchema: { type: 'object' } },
    run: () => setup.charges.push(1),
  })
  const agent = agentOn(claude, { tools: [charge], recovery: noRetry, ...options.agent })
  const loop: Loop = adaptLoop<unknown, [question: string], Answer>({
    async legacy(...args) {
      setup.legacyCalls.push({ self: this, args })
      return (await options.legacy?.({ ...setup, loop })) ?? legacyAnswer
    },
    agent,
    toInput: (question) => ({ messages: [{ role: 'user', content: question }], ...options.input }),
    fromResult: ({ text: said, messages }) => ({ text: said, messages }),
    ...(options.handover !== 'none' && {
      handover: {
        toArgs: (handed, question) => {
          setup.handed.push(handed)
          return [question]
        },
        fromLegacy: (answer) => answer,
      },
    }),
    flags: on,
    onEvent: (event) => void setup.events.push(event),
    onWarning: (warning) => void setup.warnings.push(warning),
    ...options.adapt,
  })
  return { ...setup, loop }
}

/** What a reader of the events has before it in the end. */
export function shown(events: readonly AgentEvent[]): string {
  const parts: { turn: number; block: number; text: string }[] = []
  for (const event of events) {
    if (event.type === 'text.delta') parts.push({ turn: event.turn, block: event.block, text: event.text })
    if (event.type !== 'turn.retracted') continue
    const mine = parts.filter(({ turn, block }) => turn === event.turn && block >= event.fromBlock)
    let keep = event.fromOffset
    for (const part of mine) {
      const kept = part.block === event.fromBlock ? part.text.slice(0, keep) : ''
      if (part.block === event.fromBlock) keep = Math.max(0, keep - part.text.length)
      part.text = kept
    }
  }
  return parts.map((part) => part.text).join('')
}
