import { remoteAgent } from '@millrace/client'
import { adaptLoop, defineTool } from '@millrace/core'
import { text, toolUse } from '@millrace/testing'
import { toNodeListener } from '@millrace/node'
import { createServer, type Server } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { question, serveAgent } from './support/agents.ts'

interface Service {
  readonly url: string
  /** As when the process dies: every connection is cut, and none is accepted any more. */
  readonly kill: () => void
}

async function startService(listener: Parameters<typeof createServer>[1]): Promise<Service> {
  const server: Server = createServer(listener).listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const kill = (): void => {
    server.close()
    server.closeAllConnections()
  }
  onTestFinished(kill)
  const address = server.address()
  return { url: `http://127.0.0.1:${typeof address === 'object' ? address?.port : 0}`, kill }
}

test('killing the service in the middle of a run hands over to the old loop, which repeats no call', async () => {
  const charged: number[] = []
  let died = (): void => undefined
  const charge = defineTool({
    name: 'charge_card',
    description: 'Charges a card.',
    inputSchema: { jsonSchema: { type: 'object', properties: { amount: { type: 'integer' } } } },
    run() {
      charged.push(7)
      return 'charged'
    },
  })
  const { handler, claude } = await serveAgent({
    script: ({ turn }) => {
      if (turn === 1) return { content: [text('I charge it. '), toolUse('charge_card', { amount: 7 })] }
      // The call is settled and its turn committed when the service dies, while it waits for the second turn.
      died()
      return new Promise(() => undefined)
    },
    agent: { tools: [charge] },
    handler: { rawContent: true },
  })
  const service = await startService(toNodeListener(handler))
  died = service.kill
  const agent = remoteAgent({ url: service.url, reconnect: { attempts: 2, minDelayMs: 1, maxDelayMs: 1 } })

  const handed: unknown[] = []
  async function legacy(conversation: readonly unknown[]): Promise<string> {
    handed.push(...conversation)
    return 'Done by the old loop.'
  }
  const loop = adaptLoop({
    legacy,
    agent,
    useStreaming: () => true,
    toInput: () => ({ messages: [question] }),
    fromResult: ({ text: answer }) => answer,
    handover: {
      toArgs: ({ messages }) => [messages],
      fromLegacy: (answer) => ({ messages: [{ role: 'assistant', content: answer }], text: answer }),
    },
  })
  expect(await loop([question])).toContain('Done by the old loop.')
  expect(charged).toEqual([7])
  expect(handed).toMatchObject([
    question,
    { role: 'assistant', content: [{ type: 'text' }, { type: 'tool_use', name: 'charge_card', input: { amount: 7 } }] },
    { role: 'user', content: [{ type: 'tool_result', content: 'charged' }] },
  ])
  expect(claude.requests.length).toBe(2)
  await handler.drain(1)
})

test('a remote agent gives what a local one gives', async () => {
  const { handler, agent } = await serveAgent({ handler: { rawContent: true } })
  const service = await startService(toNodeListener(handler))
  const remote = await remoteAgent({ url: service.url }).run({ messages: [question] }).result
  const local = await agent.run({ messages: [question] }).result
  expect(remote.error).toBeUndefined()
  expect(remote.text).toBe(local.text)
  expect(remote.outcome).toBe('completed')
  expect(remote.newMessages).toEqual(local.newMessages)
})
