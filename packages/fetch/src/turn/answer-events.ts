import type { ContentBlock } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import type { AccumulatedBlock, Addition, StreamEvent } from '@millrace/core/recovery'

/** The fields that the deltas of a block bring, and what its start event has in their place. */
const emptyFields: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  text: { text: '' },
  thinking: { thinking: '', signature: '' },
}

/**
 * Returns the events that bring `addition` to a client, as the API would send them: a block that arrived with its content
 * starts empty and gets it as deltas, because some clients read nothing else.
 *
 * @param index the block's index for the client
 * @param block the block as far as it has arrived
 */
export function eventsOf(addition: Addition, index: number, block: AccumulatedBlock | undefined): StreamEvent[] {
  const delta = (fields: object): StreamEvent => ({ type: 'content_block_delta', index, delta: fields })
  switch (addition.type) {
    case 'started': {
      const { block: start } = addition
      const isCall = start.type.endsWith('tool_use')
      const content_block = { ...start, ...emptyFields[start.type], ...(isCall && { input: {} }) }
      const event: StreamEvent = { type: 'content_block_start', index, content_block }
      return [event, ...textDeltas(start).map(delta)]
    }
    case 'text':
      return [delta({ type: 'text_delta', text: addition.text })]
    case 'thinking':
      return [delta({ type: 'thinking_delta', thinking: addition.text })]
    case 'input':
      return [delta({ type: 'input_json_delta', partial_json: addition.text })]
    case 'finished':
      return [...(block === undefined ? [] : lastDeltas(block)).map(delta), { type: 'content_block_stop', index }]
  }
}

/** The text or thinking that the start event of a block holds. */
function textDeltas({ type, text, thinking }: ContentBlock): object[] {
  if (type === 'text' && typeof text === 'string' && text !== '') return [{ type: 'text_delta', text }]
  if (type === 'thinking' && typeof thinking === 'string' && thinking !== '')
    return [{ type: 'thinking_delta', thinking }]
  return []
}

/** What is sent in front of the stop: whatever no addition has told of. */
function lastDeltas({ kind, text, block }: AccumulatedBlock): object[] {
  if (kind === 'thinking' && typeof block['signature'] === 'string') {
    return [{ type: 'signature_delta', signature: block['signature'] }]
  }
  if (kind === 'text' && Array.isArray(block['citations'])) {
    return block['citations'].map((citation: unknown) => ({ type: 'citations_delta', citation }))
  }
  const { input } = block
  if (kind.endsWith('tool_use') && text === '' && isRecord(input) && Object.keys(input).length > 0) {
    return [{ type: 'input_json_delta', partial_json: JSON.stringify(input) }]
  }
  if (kind === 'compaction') return [{ ...block, type: 'compaction_delta' }]
  return []
}

/** The start of a message as one of which nothing has arrived yet. */
export function emptied(event: StreamEvent): StreamEvent {
  const { message } = event
  return isRecord(message)
    ? { ...event, message: { ...message, content: [], stop_reason: null, stop_sequence: null } }
    : event
}
