import { isRecord } from '@millrace/core/kit'
import type { StreamEvent } from '@millrace/testing/stream'
import { parseJson } from '../kit/json.ts'

/** The events of a recorded stream. A frame without its final blank line is left out; one that is no JSON too. */
export function readEvents(sse: string): StreamEvent[] {
  const lines = sse.replaceAll(/\r\n?/g, '\n').split('\n')
  const events: StreamEvent[] = []
  let data: string[] = []
  // What follows the last newline is no whole line.
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
