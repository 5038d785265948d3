import type Anthropic from '@anthropic-ai/sdk'
import type { MillraceError } from '../errors.ts'
import { isRecord } from '../messages.ts'
import type { Middleware } from '../middleware.ts'
import type { ModelClient } from '../model-client.ts'
import type { FlagClient } from '../ports/flag-client.ts'
import type { RunStore } from '../ports/run-store.ts'
import { createCircuitBreaker } from '../recovery/circuit-breaker.ts'
import { recoveryDefaults, type RecoveryOptions, type RecoveryPolicy } from '../recovery/policy.ts'
import { createRetryBudget } from '../recovery/retry-budget.ts'
import type { Runtime } from '../runtime.ts'
import type { Tool } from '../tools/define-tool.ts'
import {
  checkBoolean,
  checkCount,
  checkDelay,
  checkFunction,
  checkKeys,
  checkMethods,
  checkOneOf,
  refuse,
  withDefaults,
} from './check.ts'
import { type Limits, readLimits } from './limits.ts'
import { readRuntime } from './runtime.ts'

/** Messages API parameters, sent untouched; `messages` and `stream` are ours. */
export type RequestParams =
  | Omit<Anthropic.MessageCreateParamsNonStreaming, 'messages' | 'stream'>
  | Omit<Anthropic.Beta.MessageCreateParamsNonStreaming, 'messages' | 'stream'>

export interface AgentOptions {
  readonly client: ModelClient
  /** Needs `model` and `max_tokens`. Its `tools` are for those that Anthropic executes. */
  readonly request: RequestParams
  /** Client tools; or a function that gives them, asked before each turn. Default: none. */
  readonly tools?: readonly Tool[] | (() => readonly Tool[])
  /** Middleware, the first outermost. Default: none. */
  readonly use?: readonly Middleware[]
  readonly limits?: Partial<Limits>
  readonly recovery?: RecoveryOptions
  /** Whether `readOnly` tools start as soon as their call is whole, before their turn is. Default: false. */
  readonly eagerTools?: boolean
  /** Decides in mode `auto`. Without one, `auto` streams. */
  readonly flags?: FlagClient
  /** Where runs are kept, so that they outlive this process. Default: nowhere. */
  readonly store?: RunStore
  /** Told of what was recovered from: a fault, or a callback, middleware or flag source that failed. Default: nobody. */
  readonly onWarning?: (error: MillraceError) => void
  /** Clock, randomness, ids. Default: the platform's. */
  readonly runtime?: Partial<Runtime>
}

/** The options, checked and with their defaults. */
export interface AgentSettings {
  readonly client: ModelClient
  readonly request: Readonly<Record<string, unknown>>
  readonly model: string
  readonly tools: () => ReadonlyMap<string, Tool>
  readonly use: readonly Middleware[]
  readonly limits: Limits
  readonly recovery: RecoveryPolicy
  readonly eagerTools: boolean
  readonly flags: FlagClient | undefined
  readonly store: RunStore | undefined
  readonly onWarning: ((error: MillraceError) => void) | undefined
  readonly runtime: Runtime
}

const optionNames = [
  'client',
  'eagerTools',
  'flags',
  'limits',
  'onWarning',
  'recovery',
  'request',
  'runtime',
  'store',
  'tools',
  'use',
]

/** @throws MillraceError with the option's path and what is expected there */
export function readAgentOptions(options: AgentOptions): AgentSettings {
  checkKeys(options, 'options', optionNames)
  const { client, request, tools = [], use = [], eagerTools = false, flags, store, onWarning } = options
  checkClient(client)
  const runtime = readRuntime(options.runtime)
  checkBoolean(eagerTools, 'eagerTools')
  checkFunction(onWarning, 'onWarning')
  checkMethods(flags, 'flags', ['getBooleanDetails'])
  checkMethods(store, 'store', ['create', 'acquire', 'renew', 'append', 'read', 'snapshot', 'cancel'])
  checkMiddleware(use)
  const { model } = checkRequest(request)
  const readTools = (): ReadonlyMap<string, Tool> => byName(typeof tools === 'function' ? tools() : tools)
  if (typeof tools !== 'function') readTools()
  return {
    client,
    request: { ...request },
    model,
    tools: readTools,
    use: [...use],
    limits: readLimits(options.limits),
    recovery: readRecovery(options.recovery, runtime),
    eagerTools,
    flags,
    store,
    onWarning,
    runtime,
  }
}

function checkClient(client: unknown): void {
  const messages = typeof client === 'object' && client !== null && 'messages' in client ? client.messages : undefined
  const create = typeof messages === 'object' && messages !== null ? Reflect.get(messages, 'create') : undefined
  if (typeof create !== 'function') refuse('client', 'must be a model client, with messages.create')
}

function checkRequest(request: unknown): { readonly model: string } {
  if (!isRecord(request)) refuse('request', 'must be an object of Messages API parameters')
  const { model, max_tokens, tools } = request
  if (typeof model !== 'string' || model === '') refuse('request.model', 'must name a model')
  checkCount(max_tokens ?? Number.NaN, 'request.max_tokens', 1)
  for (const name of ['messages', 'stream']) {
    if (name in request) refuse(`request.${name}`, 'is set for each turn; give messages to run()')
  }
  if (tools !== undefined) checkServerTools(tools)
  return { model }
}

function checkServerTools(tools: unknown): void {
  if (!Array.isArray(tools)) refuse('request.tools', 'must be an array')
  for (const [index, tool] of tools.entries()) {
    const type: unknown = isRecord(tool) ? tool['type'] : undefined
    if (typeof type !== 'string' || type === 'custom') {
      refuse(
        `request.tools[${index}]`,
        'must be a tool that Anthropic executes; give client tools in tools, by defineTool',
      )
    }
  }
}

function checkMiddleware(use: unknown): void {
  if (!Array.isArray(use)) refuse('use', 'must be an array of middleware')
  for (const [index, layer] of use.entries()) {
    const path = `use[${index}]`
    checkKeys(layer, path, ['name', 'run', 'turn', 'tool'])
    if (typeof layer.name !== 'string' || layer.name === '') refuse(`${path}.name`, 'must be a name, for reports')
    for (const around of ['run', 'turn', 'tool']) checkFunction(layer[around], `${path}.${around}`)
  }
}

function byName(tools: unknown): ReadonlyMap<string, Tool> {
  if (!Array.isArray(tools)) refuse('tools', 'must be an array of tools, or a function that gives one')
  const map = new Map<string, Tool>()
  for (const [index, tool] of tools.entries()) {
    const path = `tools[${index}]`
    if (!isTool(tool)) refuse(path, 'must be a tool made by defineTool')
    if (map.has(tool.name))
      refuse(`${path}.name`, `is "${tool.name}", which another tool has already`, 'duplicate_tool')
    map.set(tool.name, tool)
  }
  return map
}

function isTool(value: unknown): value is Tool {
  return (
    isRecord(value) &&
    typeof value['name'] === 'string' &&
    isRecord(value['definition']) &&
    typeof value['validate'] === 'function'
  )
}

function readRecovery(given: RecoveryOptions = {}, { clock }: Runtime): RecoveryPolicy {
  checkKeys(given, 'recovery', [...Object.keys(recoveryDefaults), 'budget', 'breaker'])
  for (const name of [
    'connectTimeout',
    'idleTimeout',
    'idleTimeoutWithoutPings',
    'contentTimeout',
    'bufferedTimeout',
  ] as const) {
    checkDelay(given[name], `recovery.${name}`)
  }
  for (const name of ['backoff', 'maxBackoff', 'retryAfterCap'] as const) checkDelay(given[name], `recovery.${name}`, 0)
  for (const name of ['streamRetries', 'bufferedRetries', 'extraRequests'] as const) {
    checkCount(given[name], `recovery.${name}`, 0)
  }
  checkOneOf(given.retraction, 'recovery.retraction', ['auto', 'retract', 'continue', 'hold', 'fail'])
  const { retryAfterServerTools: policy, continuePrompt } = given
  if (typeof policy !== 'function') checkOneOf(policy, 'recovery.retryAfterServerTools', ['always', 'never', 'reads'])
  if (continuePrompt !== undefined && (typeof continuePrompt !== 'string' || continuePrompt.trim() === '')) {
    refuse('recovery.continuePrompt', 'must be a text that is not blank')
  }
  checkMethods(given.budget, 'recovery.budget', ['request', 'take'])
  checkMethods(given.breaker, 'recovery.breaker', ['permit', 'onChange'])
  const own = { budget: createRetryBudget({ clock }), breaker: createCircuitBreaker({ clock }) }
  return withDefaults<RecoveryPolicy>({ ...recoveryDefaults, ...own }, given)
}
