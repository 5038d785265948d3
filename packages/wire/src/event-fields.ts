import { isRecord } from '@millrace/core/kit'
import {
  type AgentEvent,
  type AgentEventType,
  type ClientError,
  type ContentBlock,
  type EventHead,
  type FallbackReason,
  isContentBlock,
  type RetractionReason,
  type RunDecision,
  type RunOutcome,
  type Rung,
  type ToolOutcome,
  type ToolResultContent,
  type TurnMode,
  type Usage,
} from '@millrace/core'

/** The type of a field, by the name of its kind. */
export interface FieldKinds {
  text: string
  nullableText: string | null
  number: number
  /** An integer from 0. */
  count: number
  flag: boolean
  yes: true
  takeover: 'move' | 'crash'
  /** Any JSON. */
  json: unknown
  turnMode: TurnMode
  outcome: RunOutcome
  toolOutcome: ToolOutcome
  rung: Rung
  reason: FallbackReason
  retractionReason: RetractionReason
  stage: 'before_output' | 'after_output'
  usage: Usage
  decision: RunDecision
  error: ClientError
  blocks: readonly ContentBlock[]
  toolResult: ToolResultContent
}

export type FieldKind = keyof FieldKinds

type KindsOf<Value> = {
  [Kind in FieldKind]: [Value] extends [FieldKinds[Kind]] ? ([FieldKinds[Kind]] extends [Value] ? Kind : never) : never
}[FieldKind]

type FieldsOf<Event> = {
  [Name in Exclude<keyof Event, 'type' | keyof EventHead>]-?: object extends Pick<Event, Name>
    ? `${KindsOf<Required<Event>[Name]>}?`
    : KindsOf<Event[Name]>
}

/** The fields of every event without its head, as in the types; `?` marks optional fields. */
export type EventFields = { [Type in AgentEventType]: FieldsOf<Extract<AgentEvent, { readonly type: Type }>> }

const place = { turn: 'count', attempt: 'count', block: 'count' } as const

/** The public protocol as data. Decoding checks events against it, and so do the tests of the JSON Schema and the docs. */
export const eventFields: EventFields = {
  'run.started': { sessionId: 'text?', decision: 'decision' },
  'turn.started': { turn: 'count', attempt: 'count', mode: 'turnMode' },
  'block.started': { ...place, kind: 'text' },
  'block.finished': { ...place, kind: 'text', length: 'count', checksum: 'text' },
  'text.delta': { ...place, text: 'text' },
  'thinking.delta': { ...place, text: 'text' },
  'tool.input': { ...place, toolUseId: 'text', name: 'text', json: 'text' },
  'tool.started': { toolUseId: 'text', name: 'text', input: 'json', turn: 'count', attempt: 'count' },
  'tool.progress': {
    toolUseId: 'text',
    name: 'text',
    turn: 'count',
    progress: 'number?',
    total: 'number?',
    message: 'text?',
    data: 'json?',
    elapsedMs: 'number',
  },
  'tool.finished': {
    toolUseId: 'text',
    name: 'text',
    input: 'json',
    turn: 'count',
    result: 'toolResult',
    outcome: 'toolOutcome',
    durationMs: 'number',
    reused: 'flag?',
  },
  'turn.retracted': {
    turn: 'count',
    attempt: 'count',
    fromBlock: 'count',
    fromOffset: 'count',
    reason: 'retractionReason',
  },
  'turn.finished': {
    turn: 'count',
    attempt: 'count',
    mode: 'turnMode',
    stopReason: 'nullableText',
    usage: 'usage',
    salvaged: 'yes?',
    stopSequence: 'text?',
    stopDetails: 'json?',
    container: 'text?',
    content: 'blocks',
  },
  fallback: { turn: 'count', from: 'turnMode', to: 'rung', reason: 'reason', stage: 'stage' },
  'run.moving': { retryMs: 'number' },
  'run.resumed': { after: 'takeover', crashes: 'count' },
  'run.finished': { outcome: 'outcome', stopReason: 'nullableText', usage: 'usage', error: 'error?' },
}

/** Event types that are sent without `at`: they are frequent, and events with an `at` surround them. */
export const undatedTypes: ReadonlySet<string> = new Set<AgentEventType>([
  'text.delta',
  'thinking.delta',
  'tool.input',
  'tool.progress',
])

const isText = (value: unknown): boolean => typeof value === 'string'
const isNumber = (value: unknown): boolean => typeof value === 'number'

// Accepts words that this version does not know, such as a reason of a later version, so that no event is lost.
const guards: Readonly<Record<FieldKind, (value: unknown) => boolean>> = {
  text: isText,
  nullableText: (value) => value === null || isText(value),
  number: isNumber,
  count: (value) => Number.isSafeInteger(value) && Number(value) >= 0,
  flag: (value) => typeof value === 'boolean',
  yes: (value) => value === true,
  json: (value) => value !== undefined,
  turnMode: isText,
  outcome: isText,
  toolOutcome: isText,
  rung: isText,
  reason: isText,
  retractionReason: isText,
  stage: isText,
  takeover: isText,
  usage: (value) => isRecord(value) && isNumber(value['input_tokens']) && isNumber(value['output_tokens']),
  decision: (value) => isRecord(value) && isText(value['mode']) && isText(value['arm']) && isRecord(value['tools']),
  error: (value) => isRecord(value) && isText(value['code']) && isText(value['message']),
  blocks: (value) => Array.isArray(value) && value.every(isContentBlock),
  toolResult: (value) => isText(value) || (Array.isArray(value) && value.every(isContentBlock)),
}

interface FieldCheck {
  readonly name: string
  readonly optional: boolean
  readonly test: (value: unknown) => boolean
}

const checks: ReadonlyMap<string, readonly FieldCheck[]> = new Map(
  Object.entries(eventFields).map(([type, fields]) => [type, Object.entries(fields).map(toCheck)]),
)

function toCheck([name, field]: [string, string]): FieldCheck {
  const optional = field.endsWith('?')
  const kind = optional ? field.slice(0, -1) : field
  return { name, optional, test: isKind(kind) ? guards[kind] : () => false }
}

function isKind(kind: string): kind is FieldKind {
  return Object.hasOwn(guards, kind)
}

export function isKnownType(type: string): type is AgentEventType {
  return checks.has(type)
}

/** Returns the first field that is missing or wrong, or undefined if `value` is a whole event of a known type. */
export function wrongField(value: Readonly<Record<string, unknown>>): string | undefined {
  const { type, seq, runId, at } = value
  const fields = typeof type === 'string' ? checks.get(type) : undefined
  if (!fields) return 'type'
  if (!guards.count(seq) || seq === 0) return 'seq'
  if (!isText(runId)) return 'runId'
  if (!isNumber(at)) return 'at'
  return fields.find(({ name, optional, test }) => {
    const field = Object.hasOwn(value, name) ? value[name] : undefined
    return field === undefined ? !optional : !test(field)
  })?.name
}

/** Whether `value` is an event of a known type with all its fields. */
export function isAgentEvent(value: unknown): value is AgentEvent {
  return isRecord(value) && wrongField(value) === undefined
}
