import type { ModelClient } from '@millrace/core'

const encoder = new TextEncoder()

/** As many events as one read of a socket gives, about. */
const eventsPerRead = 20

/**
 * A model client without a network: each answer is a stream of `deltas` pieces of text, as the bytes that the API would
 * send. What it costs is the same whoever reads it.
 */
export function cannedModel(deltas: number): ModelClient {
  const chunks = answerChunks(deltas)
  return {
    messages: {
      create: () => {
        const asResponse = async (): Promise<Response> =>
          new Response(streamOf(chunks), { headers: { 'content-type': 'text/event-stream' } })
        return Object.assign(Promise.resolve(), { asResponse })
      },
    },
  }
}

function streamOf(chunks: readonly Uint8Array[]): ReadableStream<Uint8Array> {
  const rest = chunks.values()
  return new ReadableStream({
    pull(controller) {
      const { done, value } = rest.next()
      if (done === true) controller.close()
      else controller.enqueue(value)
    },
  })
}

function answerChunks(deltas: number): readonly Uint8Array[] {
  const events = [
    {
      type: 'message_start',
      message: {
        id: 'msg_1',
        type: 'message',
        role: 'assistant',
        model: 'canned',
        content: [],
        stop_reason: null,
        stop_sequence: null,
        usage: { input_tokens: 10, output_tokens: 1 },
      },
    },
    { type: 'content_block_start', index: 0, content_block: { type: 'text', text: '' } },
    ...Array.from({ length: deltas }, () => ({
      type: 'content_block_delta',
      index: 0,
      delta: { type: 'text_delta', text: 'a few more words ' },
    })),
    { type: 'content_block_stop', index: 0 },
    {
      type: 'message_delta',
      delta: { stop_reason: 'end_turn', stop_sequence: null },
      usage: { output_tokens: deltas },
    },
    { type: 'message_stop' },
  ]
  const frames = events.map((event) => `event: ${event.type}\ndata: ${JSON.stringify(event)}\n\n`)
  const chunks: Uint8Array[] = []
  for (let index = 0; index < frames.length; index += eventsPerRead) {
    chunks.push(encoder.encode(frames.slice(index, index + eventsPerRead).join('')))
  }
  return chunks
}
