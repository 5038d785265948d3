import { createClient, viewText } from '@millrace/client'
import { memorySessionStore } from '@millrace/core/memory'
import { text } from '@millrace/testing'
import { deferred } from '@millrace/testing/async'
import { expect, test } from 'vitest'
import { serveAgent } from './support/agents.ts'
import { chatAgainst } from './support/chat.ts'

const origin = 'http://service.test'

test('a page that reloads during a run shows the question and the rest of the answer', async () => {
  const hold = deferred()
  const { handler, claude } = await serveAgent({
    script: async () => {
      await hold.promise
      return { content: [text('I am well.')] }
    },
    handler: { identify: () => 'ada', sessions: memorySessionStore() },
  })
  const fetch = async (...args: Parameters<typeof globalThis.fetch>): Promise<Response> =>
    handler.fetch(new Request(...args))
  const first = chatAgainst(`${origin}/ui-message-stream`, fetch)
  const sent = first.chat.sendMessage({ text: 'How are you?' })
  await claude.nextRequest()

  const response = await fetch(`${origin}/sessions/chat-1`)
  const { uiMessages, activeRun } = await response.json()
  const reloaded = chatAgainst(`${origin}/ui-message-stream`, fetch)
  reloaded.chat.messages = uiMessages
  const resumed = reloaded.chat.resumeStream()
  const followed = createClient({ url: origin, fetch }).follow(activeRun.runId)
  hold.resolve()
  await Promise.all([sent, resumed])
  for await (const _ of followed);

  const shown = reloaded.chat.messages.map(({ role, parts }) => [
    role,
    parts.flatMap((part) => ('text' in part ? [part.text] : [])),
  ])
  expect(shown).toEqual([
    ['user', ['How are you?']],
    ['assistant', ['I am well.']],
  ])
  expect(reloaded.chat.status).toBe('ready')
  expect(viewText(followed.view)).toBe('I am well.')
})
