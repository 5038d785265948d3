import Anthropic from '@anthropic-ai/sdk'
import { type AgentEvent, createAgent, defineTool, type FlagClient } from '@millrace/core'
import { startClaude, text, toolUse } from '@millrace/testing'
import { expect, test } from 'vitest'
import { fromIterable, toolProgress } from '../src/index.ts'

const count = (name: string) =>
  defineTool({
    name,
    description: 'Counts.',
    inputSchema: { jsonSchema: { type: 'object' } },
    async run(_input, { progress, signal }) {
      const seen: number[] = []
      for await (const item of fromIterable(
        Array.from({ length: 1000 }, (_, index) => index),
        { progress, signal },
      ))
        seen.push(item)
      return `counted ${seen.length}`
    },
  })

/** Calls both tools in a real agent. Returns its events, and what was sent to the model. */
async function run(): Promise<{ readonly events: readonly AgentEvent[]; readonly sent: string }> {
  await using claude = await startClaude({
    script: [{ content: [toolUse('shown'), toolUse('hidden')] }, { content: [text('Done')] }],
  })
  const flags: FlagClient = {
    getBooleanDetails: (key) => ({ value: key === 'use_streaming' || key === 'use_streaming.tool.shown' }),
  }
  const agent = createAgent({
    client: new Anthropic({ baseURL: claude.url, apiKey: 'test' }),
    request: { model: 'claude-opus-4-5', max_tokens: 1000 },
    tools: [count('shown'), count('hidden')],
    use: [toolProgress({ heartbeat: 1 })],
    flags,
  })
  const events: AgentEvent[] = []
  for await (const event of agent.run({ messages: [{ role: 'user', content: 'Go' }] })) events.push(event)
  return { events, sent: JSON.stringify(claude.requests.map(({ body }) => body)) }
}

test('sends the last progress before the result, and none for a tool whose flag is off, whose result is the same', async () => {
  const { events, sent } = await run()
  const of = (name: string) => ({
    progress: events.filter((event) => event.type === 'tool.progress' && event.name === name),
    finished: events.filter((event) => event.type === 'tool.finished' && event.name === name),
  })
  const shown = of('shown')
  expect(shown.progress.at(-1)).toMatchObject({ progress: 1000, total: 1000 })
  expect(shown.progress.length).toBeLessThan(50)
  expect(shown.finished).toMatchObject([{ outcome: 'ok', result: 'counted 1000' }])
  expect(shown.progress.at(-1)?.seq).toBeLessThan(shown.finished[0]?.seq ?? 0)

  const hidden = of('hidden')
  expect(hidden.progress).toEqual([])
  expect(hidden.finished).toMatchObject([{ outcome: 'ok', result: 'counted 1000' }])
  // The model gets the results and no progress.
  expect(sent).toContain('counted 1000')
  expect(sent).not.toContain('"total"')
})
