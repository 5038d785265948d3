import { needed, checkParams, type RequestParams } from '../model/request-params.ts'
import type { MillraceError } from '../kit/errors.ts'
import { isRecord, hasMethod, isObject } from '../kit/guards.ts'
import type { Middleware } from '../run/middleware.ts'
import type { ModelClient } from '../model/model-client.ts'
import type { FlagClient } from '../run/flag-client.ts'
import type { LoopSettings } from './loop-settings.ts'
import type { RunJournal } from './run-journal.ts'
import type { RecoveryOptions } from '../recovery/policy.ts'
import { readRecovery } from '../recovery/read-recovery.ts'
import type { Runtime } from '../kit/clock.ts'
import type { Tool } from '../tools/define-tool.ts'
import { aBoolean, anId, aFunction, anything, checkOptions, refuse, rule, withMethods } from '../kit/checks.ts'
import { type Limits, readLimits } from '../run/limits.ts'
import { readRuntime } from '../kit/read-runtime.ts'
import { refuseHalfPairs } from '../kit/well-formed.ts'

export interface AgentOptions {
  readonly client: ModelClient
  /** Needs `model` and `max_tokens`. Its `tools` are for those that Anthropic executes. */
  readonly request: RequestParams
  /** Client tools; or a function that gives them, asked for the run's decision and before each turn. Default: none. */
  readonly tools?: readonly Tool[] | (() => readonly Tool[])
  /** Middleware, the first outermost. Default: none. */
  readonly use?: readonly Middleware[]
  readonly limits?: Partial<Limits>
  readonly recovery?: RecoveryOptions
  /** Whether `readOnly` tools start as soon as their call is whole, before their turn is. Default: false. */
  readonly eagerTools?: boolean
  /** Decides in mode `auto`. Without one, `auto` streams. */
  readonly flags?: FlagClient
  /** Where runs are kept, so that they outlive this process: `runJournal(store)`. Default: nowhere. */
  readonly journal?: RunJournal
  /** Told of what was recovered from: a fault, or a callback, middleware or flag source that failed. Default: nobody. */
  readonly onWarning?: (error: MillraceError) => void
  /** Clock, randomness, ids. Default: the platform's. */
  readonly runtime?: Partial<Runtime>
}

/** The options, checked and with their defaults. */
export interface AgentSettings extends LoopSettings {
  readonly journal: RunJournal | undefined
  readonly onWarning: ((error: MillraceError) => void) | undefined
}

const rules = {
  client: rule(
    (client) => isObject(client) && hasMethod(Reflect.get(client, 'messages'), 'create'),
    'must be a model client, with messages.create',
  ),
  request: anything,
  tools: anything,
  use: rule(Array.isArray, 'must be an array'),
  limits: anything,
  recovery: anything,
  eagerTools: aBoolean,
  flags: withMethods('getBooleanDetails'),
  journal: withMethods('open', 'takeOver'),
  onWarning: aFunction,
  runtime: anything,
}

const layers = ['run', 'turn', 'tool']

/** @throws MillraceError with the option's path and what is expected there */
export function readAgentOptions(options: AgentOptions): AgentSettings {
  checkOptions(options, '', rules, 'options', ['client'])
  const { client, request, tools = [], use = [], eagerTools = false, flags, journal, onWarning } = options
  for (const [index, layer] of use.entries()) checkLayer(layer, `use[${index}]`)
  const runtime = readRuntime(options.runtime)
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
    journal,
    onWarning,
    runtime,
  }
}

/** A middleware may have members of its own beside those that the loop calls. */
function checkLayer(given: unknown, path: string): void {
  if (!isRecord(given) || layers.every((layer) => given[layer] === undefined)) {
    refuse(path, `must be a middleware, with ${layers.join('(), ')}()`)
  }
  anId(given['name'], `${path}.name`)
  for (const layer of layers) if (given[layer] !== undefined) aFunction(given[layer], `${path}.${layer}`)
}

function checkRequest(request: unknown): { readonly model: string } {
  checkParams(request, 'request', ['messages', 'stream'])
  const { model, max_tokens, tools } = request
  needed.model(model, 'request.model')
  needed.max_tokens(max_tokens, 'request.max_tokens')
  if (tools !== undefined) checkServerTools(tools)
  return { model: String(model) }
}

function checkServerTools(tools: unknown): void {
  if (!Array.isArray(tools)) refuse('request.tools', 'must be an array')
  for (const [index, tool] of tools.entries()) {
    const type: unknown = isRecord(tool) ? tool['type'] : undefined
    if (typeof type !== 'string' || type === 'custom') {
      refuse(`request.tools[${index}]`, 'must be a tool that Anthropic executes; others go in tools')
    }
  }
}

function byName(tools: unknown): ReadonlyMap<string, Tool> {
  if (!Array.isArray(tools)) refuse('tools', 'must be an array, or a function that returns one')
  const map = new Map<string, Tool>()
  for (const [index, tool] of tools.entries()) {
    const path = `tools[${index}]`
    if (!isTool(tool)) refuse(path, 'must be a tool made by defineTool')
    refuseHalfPairs(tool.definition, `${path}.definition`)
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
    typeof value['prepare'] === 'function'
  )
}
