import { isRecord, parseJson } from '@millrace/core/kit'
import type { StreamEvent } from '@millrace/testing/stream'

/**
 * Returns the events of a recorded stream. It leaves out an event without its final blank line, and one whose data is
 * not JSON.
 */
export function readEvents(sse: string): StreamEvent[] {
  const lines = sse.replaceAll(/\r\n?/g, '\n').split('\n')
  const events: StreamEvent[] = []
  let data: string[] = []
  // The text behind the last newline is not a whole line.
  for (const line of lines.slice(0, -1)) {
    if (line === '') {
      const event = data.length === 0 ? undefined : parseJson(data.join('\n'))
      if (isStreamEvent(event)) events.push(event)
      data = []
    } else if (line.startsWith('data:')) {
      data.push(line.slice(line.startsWith('data: ') ? 6 : 5))
    }
  }
  return events
}

function isStreamEvent(value: unknown): value is StreamEvent {
  return isRecord(value) && typeof value['type'] === 'string'
}
