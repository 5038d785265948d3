import Anthropic from '@anthropic-ai/sdk'
import { createAgent, defineTool, type Tool } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { toNodeListener } from '@millrace/node'
import { createHandler } from '@millrace/server'
import { createServer } from 'node:http'
import { toolNames } from './conversation.ts'
import { makeEffect } from './effects.ts'
import { fastClock } from './fast-clock.ts'
import { parseInstance } from './instance.ts'
import { openStores } from './stores.ts'

// One instance of the service. It is killed at any moment, and started again on the same port.
const { store, address, origin, port, modelUrl, effectsUrl } = parseInstance(process.argv[2] ?? '')
const clock = fastClock(origin)
const stores = await openStores(store, address, clock)

const tools: readonly Tool[] = toolNames.map((name) =>
  defineTool({
    name,
    description: '',
    inputSchema: { jsonSchema: { type: 'object' } },
    readOnly: name === 'look_up',
    idempotent: name === 'note',
    async run(_, { idempotencyKey }) {
      await makeEffect(effectsUrl, name, idempotencyKey)
      return `${name} is done`
    },
  }),
)

const handler = createHandler({
  agent: createAgent({
    client: new Anthropic({ apiKey: 'any', baseURL: modelUrl, maxRetries: 0 }),
    request: { model: 'claude-opus-5-5', max_tokens: 1000 },
    tools,
    journal: runJournal(stores.runs),
    runtime: { clock },
  }),
  runs: stores.runs,
  sessions: stores.sessions,
  identify: (request) => request.headers.get('x-user-id') ?? undefined,
  runtime: { clock },
  // Of what goes wrong here, what matters shows in what clients see.
  onError: () => {},
})

const server = createServer(toNodeListener(handler)).listen(port, '127.0.0.1', () => process.send?.('ready'))
const recovering = setInterval(() => void handler.recover(), 500)

process.once('SIGTERM', () => {
  clearInterval(recovering)
  void handler.drain(5000).then(() => process.exit(0))
})
// Nothing outlives the program that started it.
process.once('disconnect', () => process.exit(0))
server.on('error', () => process.exit(1))
