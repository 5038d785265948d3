interface Loose {
  [field: string]: unknown
}

function loose(value: unknown): Loose {
  if (typeof value !== 'object' || value === null) throw new Error(`expected an object, got ${JSON.stringify(value)}`)
  return { ...value }
}

/** Builds the message that a stream of events describes: written for tests alone, straight from the API's rules. */
export function accumulate(events: Iterable<unknown>): Loose {
  let message: Loose = {}
  const blocks: Loose[] = []
  const json: string[] = []
  for (const raw of events) {
    const event = loose(raw)
    if (event.type === 'message_start') {
      message = loose(event.message)
      blocks.push(...(Array.isArray(message.content) ? message.content.map(loose) : []))
    }
    if (event.type === 'content_block_start') blocks.push(loose(event.content_block))
    if (event.type === 'content_block_delta') {
      const index = Number(event.index)
      const block = blocks[index] ?? {}
      const delta = loose(event.delta)
      if (delta.type === 'text_delta') block.text = String(block.text) + String(delta.text)
      if (delta.type === 'thinking_delta') block.thinking = String(block.thinking) + String(delta.thinking)
      if (delta.type === 'signature_delta') block.signature = delta.signature
      if (delta.type === 'citations_delta') {
        block.citations = [...(Array.isArray(block.citations) ? block.citations : []), delta.citation]
      }
      if (delta.type === 'input_json_delta') json[index] = (json[index] ?? '') + String(delta.partial_json)
      if (delta.type === 'compaction_delta') {
        const { type: _type, ...values } = delta
        Object.assign(block, values)
      }
    }
    if (event.type === 'content_block_stop') {
      const index = Number(event.index)
      const block = blocks[index] ?? {}
      if (json[index]) block.input = JSON.parse(json[index])
    }
    if (event.type === 'message_delta') {
      Object.assign(message, event.delta)
      const usage = loose(message.usage)
      for (const [field, value] of Object.entries(loose(event.usage))) if (value !== null) usage[field] = value
      message.usage = usage
    }
  }
  message.content = blocks
  return message
}

/** The events of a body in the API's framing; throws on anything that is not exactly such a frame. */
export function parseFrames(body: string): Loose[] {
  const frames = body.split('\n\n')
  if (frames.pop() !== '') throw new Error('the body does not end with a blank line')
  return frames.map((text) => {
    const match = /^event: (\S+)\ndata: ([^\n]+)$/.exec(text)
    const event = loose(JSON.parse(match?.[2] ?? 'null'))
    if (event.type !== match?.[1]) throw new Error(`not a frame: ${text}`)
    return event
  })
}
