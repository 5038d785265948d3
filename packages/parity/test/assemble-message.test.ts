import { text, thinking, toolUse } from '@millrace/testing'
import { type Chunking, formatEvent, messageEvents } from '@millrace/testing/stream'
import { describe, expect, it } from 'vitest'
import { assembleMessage } from '../src/stream/assemble-message.ts'
import { readEvents } from '../src/stream/read-events.ts'

const message = {
  id: 'msg_1',
  model: 'claude-x',
  content: [thinking('旅行 ✈️'), text(' 👩🏽‍🚀\n\ud800 lone '), toolUse('look_up', { a: '\u2028', b: [] })],
  stop_reason: 'tool_use',
  usage: { input_tokens: 3, output_tokens: 9, server_tool_use: null },
}

function streamOf(given: typeof message, chunking: Chunking): string {
  return [...messageEvents(given, chunking)].map(formatEvent).join('')
}

describe('assembleMessage', () => {
  it.each<Chunking>(['whole', 'words', { seed: 1 }, { seed: 2 }, { seed: 3 }])(
    'returns the message that a stream was made of: %j',
    (chunking) => {
      expect(assembleMessage(readEvents(streamOf(message, chunking)))).toEqual({ status: 'whole', message })
    },
  )

  it('returns an answer that stands in its start event as a whole', () => {
    const sse = [{ type: 'message_start', message }, { type: 'message_stop' }].map(formatEvent).join('')
    expect(assembleMessage(readEvents(sse))).toEqual({ status: 'whole', message })
  })

  it('ignores fields that server-sent events do not have', () => {
    const sse = streamOf(message, 'words').replaceAll('\ndata:', '\nx-trace: 1\ndata:')
    expect(assembleMessage(readEvents(sse))).toEqual({ status: 'whole', message })
  })
})
