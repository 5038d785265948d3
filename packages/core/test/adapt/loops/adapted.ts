import type Anthropic from '@anthropic-ai/sdk'
import { AsyncLocalStorage } from 'node:async_hooks'
import type { Fault, FaultPlan } from '@millrace/testing'
import { z } from 'zod'
import {
  adaptLoop,
  type AdaptedLoop,
  type AdaptLoopOptions,
  type DrivableAgent,
  type AgentEvent,
  createAgent,
  defineTool,
  type FlagClient,
  type LegacyScope,
  type MillraceError,
  type RecoveryOptions,
} from '../../../src/index.ts'
import { wrapLegacyTool } from '../../../src/adapt/legacy-tool.ts'
import { chatLoopPreset } from '../../../src/adapt/chat-preset.ts'
import { claudeFor, clientOf, request } from '../../support/scripted.ts'
import { Assistant } from '@millrace/legacy-loops/class-method'
import {
  createOptionsLoop,
  type LoopAnswer,
  type LoopOptions,
  type OptionsLoop,
  type ShopTools,
  shopTools,
} from '@millrace/legacy-loops/options-object'
import { createPositionalLoop, type PositionalLoop } from '@millrace/legacy-loops/positional'
import { chargeDescription, lookUpDescription, openShop, type Shop, shopScript } from '@millrace/legacy-loops/shop'

/** How a half-done run reaches the existing loop. */
export type HandoverKind = 'history' | 'restart' | 'none'

/** What an adapted loop is tried under. */
export interface Condition {
  readonly name: string
  /** Undefined: the loop as it was, not adapted at all. */
  readonly flag?: boolean
  readonly handover?: HandoverKind
  /** What goes wrong where the agent asks; the existing loop asks elsewhere, where nothing does. */
  readonly faults?: FaultPlan
  readonly recovery?: RecoveryOptions
  readonly broken?: 'toInput' | 'agent'
}

/** Every request that the agent makes fails, and it does not ask again. */
const noRetry: RecoveryOptions = { streamRetries: 0, bufferedRetries: 0, extraRequests: 0 }
const always = (fault: Fault): FaultPlan => [{ ...fault, times: 'forever' }]

/** Only what follows a tool result, which is a committed turn, fails. */
const afterCommit =
  (fault: Fault): FaultPlan =>
  ({ messages }) => {
    const last = messages.at(-1)?.['content']
    return Array.isArray(last) && last.some(({ type }) => type === 'tool_result') ? fault : undefined
  }

const ways: readonly (readonly [string, Fault])[] = [
  ['refused with a 400', { kind: 'status', status: 400 }],
  ['failing with a 500', { kind: 'status', status: 500 }],
  ['cut before its first event', { kind: 'destroy', at: { event: 0 } }],
  ['cut in its first block', { kind: 'destroy', at: { event: 5 } }],
  ['ended after its message_start', { kind: 'end', at: { event: 2 } }],
]

const handovers: readonly HandoverKind[] = ['history', 'restart']

export const conditions: readonly Condition[] = [
  { name: 'as it was' },
  { name: 'adapted, without flags', flag: false, handover: 'none' },
  { name: 'adapted, flag off', flag: false, handover: 'history' },
  { name: 'adapted, flag on', flag: true, handover: 'none' },
  { name: 'adapted, flag on, with a hand-over', flag: true, handover: 'history' },
  { name: 'adapted, flag on, with a restart', flag: true, handover: 'restart' },
  { name: 'adapted, toInput throws', flag: true, handover: 'none', broken: 'toInput' },
  { name: 'adapted, the agent throws', flag: true, handover: 'history', broken: 'agent' },
  ...[3, 5, 8].map((event): Condition => ({
    name: `adapted, each stream cut once at event ${event}`,
    flag: true,
    handover: 'none',
    faults: [{ kind: 'destroy', at: { event }, stream: true, attempt: 1 }],
  })),
  {
    name: 'adapted, no stream ever arrives whole',
    flag: true,
    handover: 'none',
    faults: [{ kind: 'destroy', at: { event: 6 }, stream: true, times: 'forever' }],
  },
  ...ways.flatMap(([way, fault]) => [
    ...[...handovers, 'none' as const].map((handover): Condition => ({
      name: `adapted, streaming ${way} before a committed turn, hand-over: ${handover}`,
      flag: true,
      handover,
      faults: always(fault),
      recovery: noRetry,
    })),
    ...handovers.map((handover): Condition => ({
      name: `adapted, streaming ${way} after a committed turn, hand-over: ${handover}`,
      flag: true,
      handover,
      faults: afterCommit(fault),
      recovery: noRetry,
    })),
  ]),
]

/**
 * Whether a consumer that cannot take text back is served under this condition. Text that was shown and can neither be
 * kept as history nor withdrawn ends the run: better an error than a word that is said twice.
 */
export function servesTextOnly({ name, handover }: Condition): boolean {
  if (handover === 'history') return true
  if (name.includes('after a committed turn')) return false
  return !name.includes('cut in its first block before')
}

/** What only fails where a half-done run cannot be handed over. */
export const stranded: readonly Condition[] = ways.map(([way, fault]) => ({
  name: `streaming ${way} after a committed turn, no hand-over`,
  flag: true,
  handover: 'none',
  faults: afterCommit(fault),
  recovery: noRetry,
}))

function flagsOf(streaming: boolean): FlagClient {
  return { getBooleanDetails: (key, fallback) => ({ value: key === 'use_streaming' ? streaming : fallback }) }
}

/** The same shop for the agent and for the existing loop, which ask at two places. */
export interface Setting {
  readonly shop: Shop
  readonly legacyClient: Anthropic
  readonly legacyTools: ShopTools
  readonly agent: DrivableAgent
  readonly scope: AsyncLocalStorage<LegacyScope>
  readonly condition: Condition
  readonly events: AgentEvent[]
  readonly warnings: MillraceError[]
}

const order = z.object({ order: z.string() })
const payment = z.object({ order: z.string(), cents: z.number() })

export async function settingFor(condition: Condition): Promise<Setting> {
  const shop = openShop()
  const legacy = await claudeFor(shopScript)
  // Two places of asking never give the same id twice.
  const streaming = await claudeFor(shopScript, { faults: condition.faults ?? [], seed: 2 })
  const scope = new AsyncLocalStorage<LegacyScope>()
  const own = shopTools(shop)
  const restarts = condition.handover === 'restart'
  const wrap = (name: string): ShopTools[string] =>
    wrapLegacyTool({
      name,
      scope,
      run: (input: Record<string, unknown>) => own[name]?.(input) ?? Promise.resolve(''),
      fromEntry: ({ result }) => (typeof result === 'string' ? result : ''),
    })
  const working = createAgent({
    client: clientOf(streaming),
    request,
    recovery: { backoff: 0, ...condition.recovery },
    tools: [
      defineTool({
        ...lookUpDescription,
        inputSchema: order,
        readOnly: true,
        run: (input) => shop.lookUp(input.order),
      }),
      defineTool({ ...chargeDescription, inputSchema: payment, run: (input) => shop.charge(input.order, input.cents) }),
    ],
  })
  return {
    shop,
    scope,
    condition,
    legacyClient: clientOf(legacy),
    legacyTools: restarts ? { look_up: wrap('look_up'), charge: wrap('charge') } : own,
    agent: condition.broken === 'agent' ? { ...working, prepare: () => fail() } : working,
    events: [],
    warnings: [],
  }
}

function fail(): never {
  throw new Error('broken on purpose')
}

type Common = Pick<AdaptLoopOptions<unknown, [], unknown>, 'agent' | 'flags' | 'scope' | 'onEvent' | 'onWarning'>

/** The options that are the same for every loop. */
function common({ agent, condition, scope, events, warnings }: Setting): Common {
  return {
    agent,
    ...(condition.name !== 'adapted, without flags' && { flags: flagsOf(condition.flag === true) }),
    ...(condition.handover === 'restart' && { scope }),
    onEvent: (event) => void events.push(event),
    onWarning: (warning) => void warnings.push(warning),
  }
}

export function adaptOptionsLoop(
  setting: Setting,
  legacy: OptionsLoop = createOptionsLoop(setting.legacyClient, setting.legacyTools),
): AdaptedLoop<unknown, [LoopOptions], LoopAnswer> {
  const { handover, toInput, ...preset } = chatLoopPreset<LoopOptions, LoopAnswer>({
    fromResult: ({ text, messages }) => ({ response: text, conversationHistory: [...messages] }),
    textOf: ({ response }) => response,
    historyOf: ({ conversationHistory }) => conversationHistory,
  })
  const kind = setting.condition.handover
  return adaptLoop<unknown, [LoopOptions], LoopAnswer>({
    ...preset,
    ...common(setting),
    legacy,
    toInput: setting.condition.broken === 'toInput' ? fail : toInput,
    ...(kind === 'history' && handover !== undefined && { handover }),
    ...(kind === 'restart' && { handover: kind }),
  })
}

export function adaptPositionalLoop(
  setting: Setting,
  legacy: PositionalLoop = createPositionalLoop(setting.legacyClient, setting.legacyTools),
): AdaptedLoop<unknown, Parameters<PositionalLoop>, Awaited<ReturnType<PositionalLoop>>> {
  const kind = setting.condition.handover
  return adaptLoop<unknown, Parameters<PositionalLoop>, Awaited<ReturnType<PositionalLoop>>>({
    ...common(setting),
    legacy,
    context: (customer) => ({ targetingKey: customer }),
    toInput: (customer, thread, settings) =>
      setting.condition.broken === 'toInput'
        ? fail()
        : {
            messages: thread,
            user: customer,
            request: { system: `You serve ${customer}.`, max_tokens: settings?.maxTokens ?? 1_000 },
          },
    fromResult: ({ text, messages }) => [text, [...messages]],
    ...(kind === 'history' && {
      handover: {
        toArgs: ({ messages }, customer, _thread, settings) => [customer, messages, settings],
        fromLegacy: ([text, thread], { messages }) => ({ messages: thread.slice(messages.length), text }),
      },
    }),
    ...(kind === 'restart' && { handover: kind }),
  })
}

const goOn = 'Go on.'

/** A subclass whose `ask` is the adapted one. */
export function adaptAssistant(setting: Setting): Assistant {
  const kind = setting.condition.handover
  const assistant = new Assistant(setting.legacyClient, setting.legacyTools)
  assistant.ask = adaptLoop<Assistant, [question: string], string>({
    ...common(setting),
    legacy: Assistant.prototype.ask,
    toInput(question) {
      if (setting.condition.broken === 'toInput') fail()
      return { messages: [...this.history, { role: 'user', content: question }] }
    },
    fromResult({ text, messages }) {
      this.history = [...messages]
      return text
    },
    ...(kind === 'history' && {
      handover: {
        toArgs({ messages }) {
          this.history = [...messages]
          return [goOn]
        },
        fromLegacy(text, { messages }) {
          return { messages: this.history.slice(messages.length), text }
        },
      },
    }),
    ...(kind === 'restart' && { handover: kind }),
  })
  return assistant
}
