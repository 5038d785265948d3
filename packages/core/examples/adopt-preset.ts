// run
import assert from 'node:assert/strict'
import Anthropic from '@anthropic-ai/sdk'
import { createAgent, defineTool } from '@millrace/core'
import { startClaude, text, toolUse } from '@millrace/testing'
import { z } from 'zod'

const claude = await startClaude({
  script: ({ toolResults }) =>
    toolResults.length === 0
      ? { content: [text('I save it.'), toolUse('save_note', { body: 'tea at five' })] }
      : { content: [text('It is saved.')] },
})
const client = new Anthropic({ baseURL: claude.url, apiKey: 'any' })
const request = { model: 'claude-sonnet-5-5', max_tokens: 2048 } as const
const notes: string[] = []
const saveNote = defineTool({
  name: 'save_note',
  description: 'Saves a note.',
  inputSchema: z.object({ body: z.string() }),
  run: ({ body }) => void notes.push(body),
})
const agent = createAgent({ client, request, tools: [saveNote], recovery: { backoff: 1 } })

interface LoopArgs {
  userInput: string
  conversationHistory: Anthropic.MessageParam[]
  callbacks?: { onText?: (text: string) => void }
  useStreaming?: boolean
}

async function executeAgentLoop({ userInput, conversationHistory, callbacks }: LoopArgs) {
  const messages: Anthropic.MessageParam[] = [...conversationHistory, { role: 'user', content: userInput }]
  const tools = [{ name: 'save_note', description: 'Saves a note.', input_schema: { type: 'object' as const } }]
  const { content } = await client.messages.create({ ...request, messages, tools })
  const response = content.map((block) => (block.type === 'text' ? block.text : '')).join('')
  callbacks?.onText?.(response)
  return { response, history: [...messages, { role: 'assistant' as const, content }] }
}

// #region preset
import { adaptLoop } from '@millrace/core'
import { chatLoopPreset } from '@millrace/core/presets'

type LoopResult = Awaited<ReturnType<typeof executeAgentLoop>>

const agentLoop = adaptLoop({
  legacy: executeAgentLoop,
  agent,
  ...chatLoopPreset<LoopArgs, LoopResult>({
    fromResult: ({ text, messages }) => ({ response: text, history: [...messages] }),
    textOf: ({ response }) => response,
    historyOf: ({ history }) => history,
  }),
})
// #endregion preset

// The note is saved in a first turn; in the second, both ways of asking are broken, until their loop asks.
claude.setFaults([
  { kind: 'destroy', at: { event: 4 }, turn: 2, stream: true, times: 2 },
  { kind: 'status', status: 529, turn: 2, stream: false, times: 3 },
])
const events: string[] = []
const run = agentLoop.run({ userInput: 'Save: tea at five', conversationHistory: [], useStreaming: true })
for await (const event of run) events.push(event.type === 'fallback' ? `${event.from} to ${event.to}` : event.type)
const { outcome, text: answer } = await run.result

assert.equal(outcome, 'completed')
assert.equal(answer, 'It is saved.')
assert.deepEqual(notes, ['tea at five'])
assert.ok(events.includes('stream to buffered'))
assert.ok(events.includes('buffered to legacy'))
await claude.close()
