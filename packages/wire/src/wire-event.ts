import { type AgentEvent, MillraceError } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { isAgentEvent, isKnownType, undatedTypes, wrongField } from './event-fields.ts'
import { toolInputs } from './tool-inputs.ts'

/** An event of a type that this version does not know. */
export interface UnknownEvent {
  readonly type: 'unknown'
  readonly seq: number
  /** Its type. */
  readonly name: string
  /** All its fields, as they came. */
  readonly fields: Readonly<Record<string, unknown>>
}

/** What decoding gives. */
export type DecodedEvent = AgentEvent | UnknownEvent

export interface CompactOptions {
  /** Send `turn.finished.content`: signatures, encrypted and raw content included. Default: false. */
  readonly rawContent?: boolean
}

/** Makes events as small as they can be for one connection. Each connection needs its own, for what it has sent. */
export function eventCompactor({ rawContent = false }: CompactOptions = {}): (event: AgentEvent) => object {
  const inputs = toolInputs()
  let isFirst = true

  return (event) => {
    const { seq: _seq, runId, at, ...fields } = event
    const compact: Record<string, unknown> = fields
    if (isFirst) compact['runId'] = runId
    if (isFirst || !undatedTypes.has(event.type)) compact['at'] = at
    isFirst = false
    switch (event.type) {
      case 'turn.finished':
        if (rawContent) break
        delete compact['content']
        delete compact['container']
        break
      case 'tool.started':
      case 'tool.finished':
        if (isSame(inputs.get(event.toolUseId), event.input)) delete compact['input']
        break
      default:
    }
    inputs.see(event)
    return compact
  }
}

/** The reverse: whole events again, from what one connection carried. @throws MillraceError `garbage` */
export function eventRestorer(): (seq: number, value: unknown) => DecodedEvent {
  const inputs = toolInputs()
  let runId: unknown
  let at: unknown

  return (seq, value) => {
    if (!isRecord(value) || typeof value['type'] !== 'string') throw garbage(seq, 'it has no type')
    runId = value['runId'] ?? runId
    at = value['at'] ?? at
    const fields: Record<string, unknown> = { ...value, seq, runId, at }
    const { type, toolUseId } = value
    if (type === 'turn.finished') fields['content'] ??= []
    if ((type === 'tool.started' || type === 'tool.finished') && !('input' in value)) {
      fields['input'] = inputs.get(String(toolUseId))
    }
    if (isAgentEvent(fields)) {
      inputs.see(fields)
      return fields
    }
    if (isKnownType(value['type'])) throw garbage(seq, `${value['type']} without a valid ${wrongField(fields)}`)
    return { type: 'unknown', seq, name: value['type'], fields: value }
  }
}

function isSame(carried: unknown, input: unknown): boolean {
  return carried !== undefined && (carried === input || JSON.stringify(carried) === JSON.stringify(input))
}

export function garbage(seq: number | undefined, what: string): MillraceError {
  const where = seq === undefined ? 'the event stream' : `event ${seq} of the stream`
  return new MillraceError('garbage', `${where} cannot be read: ${what}`, { retryable: true })
}
