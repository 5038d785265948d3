import Anthropic from '@anthropic-ai/sdk'
import { type AgentEvent, createAgent, type FlagClient } from '@millrace/core'
import { startClaude, text, toolUse } from '@millrace/testing'
import { toolProgress } from '@millrace/tool-progress'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'
import { workspaceTools } from '../src/index.ts'

const folder = fileURLToPath(new URL('../../../node_modules', import.meta.url))

/** Runs one `bash` command in a real agent; its tool streams where `streams` is true. */
async function runBash(command: string, streams: boolean): Promise<readonly AgentEvent[]> {
  await using claude = await startClaude({
    script: [{ content: [toolUse('bash', { command })] }, { content: [text('Done')] }],
  })
  const flags: FlagClient = {
    getBooleanDetails: (key) => ({ value: key === 'use_streaming' || (key === 'use_streaming.tool.bash' && streams) }),
  }
  const agent = createAgent({
    client: new Anthropic({ baseURL: claude.url, apiKey: 'test' }),
    request: { model: 'claude-opus-4-5', max_tokens: 1000 },
    tools: workspaceTools({ folder, bash: true }),
    use: [toolProgress()],
    flags,
  })
  const events: AgentEvent[] = []
  for await (const event of agent.run({ messages: [{ role: 'user', content: 'Go' }] })) events.push(event)
  return events
}

test('streams the output of find over a large folder, in order, before its result', async () => {
  const events = await runBash(`find . -name '*.js'; grep -rl --include=package.json '"license"' .`, true)
  const progress = events.filter((event) => event.type === 'tool.progress')
  const finished = events.find((event) => event.type === 'tool.finished')
  expect(progress.length).toBeGreaterThan(0)
  expect(finished).toMatchObject({ name: 'bash', outcome: 'ok' })
  expect(progress.every(({ seq }) => seq < (finished?.seq ?? 0))).toBe(true)
  expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'completed' })
})

test('emits no progress if its flag is off, and returns the same result', async () => {
  const [on, off] = [await runBash('seq 1 20000', true), await runBash('seq 1 20000', false)]
  const results = [on, off].map((events) =>
    events.flatMap((event) => (event.type === 'tool.finished' ? [event.result] : [])),
  )
  expect(results[0]).toEqual(results[1])
  expect(on.some(({ type }) => type === 'tool.progress')).toBe(true)
  expect(off.some(({ type }) => type === 'tool.progress')).toBe(false)
})
