import { describe, expect, test } from 'vitest'
import { layouts, layoutTurns, startClaude } from '../src/index.ts'
import { jobModel, playLayout } from '../src/layouts/layout.ts'
import { accumulate, parseFrames } from './reference-accumulator.ts'

/** Which byte a fault strikes at is read off these turns, long before the server sends them. */
describe('the turns of a layout, played without a server', () => {
  test.for(layouts)('$id: are to the byte what the server sends', async (layout) => {
    const turns = layoutTurns(layout)
    await using claude = await startClaude({ script: playLayout(layout).script, seed: 1 })
    const messages: unknown[] = [{ role: 'user', content: layout.question }]
    for (const { events, offsets, bytes } of turns) {
      const response = await fetch(`${claude.url}/v1/messages`, {
        method: 'POST',
        headers: { authorization: 'Bearer k' },
        body: JSON.stringify({ model: jobModel, max_tokens: 1_000, stream: true, messages }),
      })
      const body = Buffer.from(await response.arrayBuffer())
      expect(body.length).toBe(bytes)
      const begins = offsets.map((offset) => body.subarray(offset, offset + 100).toString())
      expect(begins.map((text) => text.replace(/\n[^]*/, ''))).toEqual(events.map(({ type }) => `event: ${type}`))

      const { content } = accumulate(parseFrames(body.toString()))
      messages.push({ role: 'assistant', content })
      const results = (Array.isArray(content) ? content : [])
        .filter(({ type }) => type === 'tool_use')
        .map(({ id, name }) => ({
          type: 'tool_result',
          tool_use_id: id,
          content: layout.tools.find((tool) => tool.name === name)?.result ?? '',
        }))
      if (results.length > 0) messages.push({ role: 'user', content: results })
    }
    expect(turns.length).toBeGreaterThan(1)
  })
})
