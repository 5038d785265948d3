import { createAccumulator, createSseParser } from '@millrace/core/recovery'

type Send = (input: string | URL | Request, init?: RequestInit) => Promise<Response>
type Content = readonly Readonly<Record<string, unknown>>[]

/** What went over the wire, above and below a `fetch`: the history that a client has, whatever it keeps for itself. */
export interface Wire {
  /** What the client sends with: `fetch`, watched on both sides. */
  readonly send: Send
  /** The messages of the last request as upstream got them, and the answer to it as the client did. */
  messages(): unknown[]
}

/** @param wrap puts a `fetch` of its own between the client and upstream; default: nothing between them */
export function watchWire(wrap: (below: Send) => Send = (below) => below): Wire {
  let messages: unknown[] = []
  let chunks: Uint8Array[] = []
  let isNew = false
  const above = wrap(async (input, init) => {
    const body: unknown = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined
    const sent = typeof body === 'object' && body !== null ? Reflect.get(body, 'messages') : []
    // Requests of its own, to recover, are no part of the client's history.
    if (isNew && Array.isArray(sent)) messages = sent
    isNew = false
    return globalThis.fetch(input, init)
  })
  return {
    async send(input, init) {
      chunks = []
      isNew = true
      const seen = chunks
      const response = await above(input, init)
      if (!response.ok || response.body === null) return response
      const watched = response.body.pipeThrough(
        new TransformStream<Uint8Array, Uint8Array>({
          transform(chunk, controller) {
            seen.push(chunk)
            controller.enqueue(chunk)
          },
        }),
      )
      return new Response(watched, response)
    },
    messages() {
      const content = contentOf(chunks)
      return content.length === 0 ? messages : [...messages, { role: 'assistant', content }]
    },
  }
}

/** Returns what arrived, as the client's own accumulator would have it. */
function contentOf(chunks: readonly Uint8Array[]): Content {
  const parser = createSseParser()
  const accumulator = createAccumulator()
  try {
    for (const chunk of chunks) {
      for (const data of parser.push(chunk)) accumulator.add(JSON.parse(data))
    }
  } catch {
    // The client met the same, and has what came before.
  }
  return accumulator.message()?.content ?? []
}
