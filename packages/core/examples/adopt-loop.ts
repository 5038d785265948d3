// run
import assert from 'node:assert/strict'
import { startClaude, text, toolUse } from '@millrace/testing'

const claude = await startClaude({
  script: [
    { content: [text('I look it up.'), toolUse('find_user', { id: 'u-1' })] },
    { content: [text('That is Ada.')] },
  ],
})
process.env['ANTHROPIC_BASE_URL'] = claude.url
process.env['ANTHROPIC_API_KEY'] = 'any'
const findUser = async (id: string): Promise<string> => (id === 'u-1' ? 'Ada' : 'nobody')

// #region existing
import Anthropic from '@anthropic-ai/sdk'
import { z } from 'zod'

const client = new Anthropic()
const findInput = z.object({ id: z.string() })

// The loop does not change.
async function answer(tenant: string, history: Anthropic.MessageParam[], question: string): Promise<string> {
  const messages: Anthropic.MessageParam[] = [...history, { role: 'user', content: question }]
  while (true) {
    const { content } = await client.messages.create({
      model: 'claude-sonnet-5-5',
      max_tokens: 2048,
      messages,
      tools: [
        {
          name: 'find_user',
          description: 'Finds a user by id.',
          input_schema: { type: 'object', properties: { id: { type: 'string' } }, required: ['id'] },
        },
      ],
    })
    messages.push({ role: 'assistant', content })
    const results: Anthropic.ToolResultBlockParam[] = []
    for (const block of content) {
      if (block.type !== 'tool_use') continue
      const { id } = findInput.parse(block.input)
      results.push({ type: 'tool_result', tool_use_id: block.id, content: await findUser(id) })
    }
    if (results.length === 0) return content.map((block) => (block.type === 'text' ? block.text : '')).join('')
    messages.push({ role: 'user', content: results })
  }
}
// #endregion existing

const flags = {
  getBooleanDetails: (key: string, fallback: boolean) => ({ value: key === 'use_streaming' || fallback }),
}

// #region wrap
import { adaptLoop, createAgent, defineTool } from '@millrace/core'

const agent = createAgent({
  client,
  request: { model: 'claude-sonnet-5-5', max_tokens: 2048 },
  tools: [
    defineTool({
      name: 'find_user',
      description: 'Finds a user by id.',
      inputSchema: findInput,
      readOnly: true,
      run: ({ id }) => findUser(id),
    }),
  ],
})

const answerStreaming = adaptLoop({
  legacy: answer,
  agent,
  toInput: (_tenant, history, question) => ({ messages: [...history, { role: 'user', content: question }] }),
  fromResult: ({ text }) => text,
  handover: {
    // The loop appends a question, so it gets a neutral one.
    toArgs: ({ messages }, tenant) => [tenant, [...messages], 'Go on.'],
    fromLegacy: (text) => ({
      text,
      messages: [
        { role: 'user', content: 'Go on.' },
        { role: 'assistant', content: text },
      ],
    }),
  },
  flags,
  context: (tenant) => ({ targetingKey: tenant }),
})
// #endregion wrap

// #region call
// Callers do not change …
const reply: string = await answerStreaming('tenant-7', [], 'Who is u-1?')

// … and callers that want events get them.
const run = answerStreaming.run('tenant-7', [], 'Who is u-1?')
for await (const event of run) {
  if (event.type === 'text.delta') process.stdout.write(event.text)
}
// #endregion call

assert.equal(reply, 'That is Ada.')
assert.equal((await run.result).text, 'That is Ada.')
assert.ok(claude.requests.every(({ stream }) => stream))

// A request that the API refuses fails at once, and with nothing committed their loop is simply called.
claude.setFaults([{ kind: 'status', status: 400, stream: true }])
assert.equal(await answerStreaming('tenant-7', [], 'Who is u-1?'), 'That is Ada.')
assert.deepEqual(
  claude.requests.slice(4).map(({ stream }) => stream),
  [true, false, false],
)
await claude.close()
