import type { AgentEvent } from '@millrace/core'
import { type DecodedEvent, type EventDecoder, sseDecoder } from '../src/index.ts'

const undated = new Set(['text.delta', 'thinking.delta', 'tool.input', 'tool.progress'])

/** What a client has after decoding: an undated event stands at the time of the last dated one. */
export function asReceived(events: readonly AgentEvent[], rawContent = false): AgentEvent[] {
  let at = events[0]?.at ?? 0
  return events.map((event) => {
    if (!undated.has(event.type)) at = event.at
    if (event.type !== 'turn.finished' || rawContent) return { ...event, at }
    const { container: _, ...sent } = event
    return { ...sent, at, content: [] }
  })
}

export function known(decoded: readonly DecodedEvent[]): AgentEvent[] {
  return decoded.flatMap((event) => (event.type === 'unknown' ? [] : [event]))
}

export function bytesOf(text: string): Uint8Array {
  return new TextEncoder().encode(text)
}

export function decodeAll(text: string, decoder: EventDecoder = sseDecoder()): AgentEvent[] {
  return known(decoder.push(bytesOf(text)))
}
