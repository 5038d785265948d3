import { createServer, type Server } from 'node:http'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import Anthropic from '@anthropic-ai/sdk'
import { type Client, type ClientEvent, createClient } from '@millrace/client'
import { createAgent } from '@millrace/core'
import { memoryRunStore } from '@millrace/core/memory'
import { runJournal } from '@millrace/core/journal'
import { connectMcp } from '@millrace/mcp'
import { stdio } from '@millrace/mcp/stdio'
import { createHandler } from '@millrace/server'
import { type Script, startClaude, text, toolUse } from '@millrace/testing'
import { toolProgress } from '@millrace/tool-progress'
import { afterEach, expect, test } from 'vitest'
import { toNodeListener } from '../src/index.ts'

const require = createRequire(import.meta.url)
const program = join(
  dirname(require.resolve('@modelcontextprotocol/server-everything/package.json')),
  'dist',
  'index.js',
)

const open: (() => Promise<unknown>)[] = []
afterEach(async () => {
  for (const close of open.splice(0).reverse()) await close()
})

function listen(server: Server): Promise<string> {
  return new Promise((resolve) => {
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? `http://127.0.0.1:${address.port}` : '')
    })
  })
}

/** All that stands between a real MCP server and a client with nothing but fetch. */
async function serve(script: Script): Promise<Client> {
  const claude = await startClaude({ script })
  const mcp = await connectMcp({ servers: { everything: stdio({ command: process.execPath, args: [program] }) } })
  const runs = memoryRunStore()
  const agent = createAgent({
    client: new Anthropic({ baseURL: claude.url, apiKey: 'test' }),
    request: { model: 'claude-opus-4-5', max_tokens: 1000 },
    tools: mcp.tools,
    use: [toolProgress({ interval: 0 })],
    journal: runJournal(runs),
  })
  const server = createServer(toNodeListener(createHandler({ agent, runs })))
  const url = await listen(server)
  open.push(
    () => claude.close(),
    () => mcp.close(),
    () => new Promise((resolve) => server.close(resolve).closeAllConnections()),
  )
  return createClient({ url })
}

const longRunning = (duration: number, steps: number) => toolUse('trigger-long-running-operation', { duration, steps })
const messages = [{ role: 'user' as const, content: 'Go' }]

test('the progress of an MCP tool reaches a client over HTTP, step by step, before its result', async () => {
  const client = await serve([{ content: [longRunning(0.4, 4)] }, { content: [text('Done')] }])
  const run = client.start({ messages })
  const steps: (number | undefined)[] = []
  const order: string[] = []
  for await (const event of run) {
    if (event.type === 'tool.progress') steps.push(event.progress)
    if (event.type.startsWith('tool.')) order.push(event.type)
  }
  expect(steps).toEqual([1, 2, 3, 4])
  expect(order.slice(-2)).toEqual(['tool.progress', 'tool.finished'])
  expect(run.view).toMatchObject({ outcome: 'completed' })
})

test('cancelling the run over HTTP cancels the tool', async () => {
  const client = await serve([{ content: [longRunning(600, 6000)] }, { content: [text('Done')] }])
  const run = client.start({ messages })
  const events: ClientEvent[] = []
  let cancelling: Promise<unknown> | undefined
  for await (const event of run) {
    events.push(event)
    if (event.type === 'tool.progress') cancelling ??= run.cancel()
  }
  await cancelling
  expect(events.filter(({ type }) => type === 'tool.finished')).toMatchObject([{ outcome: 'cancelled' }])
  expect(events.at(-1)).toMatchObject({ type: 'run.finished', outcome: 'interrupted' })
})
