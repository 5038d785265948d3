import Anthropic from '@anthropic-ai/sdk'
import { startClaude, text, thinking, toolUse } from '@millrace/testing'

const claude = await startClaude({
  script: [
    { content: [thinking('A tool knows that.'), text('I look it up.'), toolUse('look_up', { order: 'A-17' })] },
    { content: [text('Order A-17 is on its way.')] },
  ],
  // The first answer is cut off before its eighth event; asked again, it comes whole.
  faults: [{ kind: 'destroy', at: { event: 7 }, turn: 1, times: 1 }],
})

const client = new Anthropic({ apiKey: 'any', baseURL: claude.url, maxRetries: 0 })
const request = {
  model: 'claude-sonnet-5-5',
  max_tokens: 1024,
  messages: [{ role: 'user' as const, content: 'Where is order A-17?' }],
}

const broken = await client.messages
  .stream(request)
  .finalMessage()
  .catch((error: unknown) => error)
const whole = await client.messages.stream(request).finalMessage()

console.log(broken instanceof Error, whole.stop_reason)
for (const { turn, attempt, status, faults } of claude.requests) console.log({ turn, attempt, status, faults })
await claude.close()
