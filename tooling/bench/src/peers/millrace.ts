import Anthropic from '@anthropic-ai/sdk'
import { createAgent, defineTool, type Middleware } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { createNodeFetch, toNodeListener } from '@millrace/node'
import { createHandler } from '@millrace/server'
import { telemetry } from '@millrace/telemetry'
import { createPrometheus } from '@millrace/telemetry/prometheus'
import { z } from 'zod'
import { toolName, toolResult } from '../scenario.ts'
import { maxTokens, model, type Peer } from './peer.ts'

interface Variant {
  readonly fetch?: typeof globalThis.fetch
  readonly use?: readonly Middleware[]
}

/** The handler with an in-memory store, as its README shows it. */
function handlerOf(upstream: string, { fetch, use = [] }: Variant): ReturnType<Peer> {
  const runs = memoryRunStore()
  const agent = createAgent({
    client: new Anthropic({ apiKey: 'any', baseURL: upstream, ...(fetch === undefined ? {} : { fetch }) }),
    request: { model, max_tokens: maxTokens },
    tools: [
      defineTool({
        name: toolName,
        description: 'Looks up an order.',
        inputSchema: z.object({ id: z.string() }),
        readOnly: true,
        run: async ({ id }) => toolResult(id),
      }),
    ],
    journal: runJournal(runs),
    limits: { turns: 1_000 },
    use,
  })
  return toNodeListener(createHandler({ agent, runs, sessions: memorySessionStore() }))
}

export const millrace: Peer = (upstream) => handlerOf(upstream, {})

export const millraceLean: Peer = (upstream) => handlerOf(upstream, { fetch: createNodeFetch({ proxy: 'none' }) })

export const millraceTelemetry: Peer = (upstream) =>
  handlerOf(upstream, {
    fetch: createNodeFetch({ proxy: 'none' }),
    use: [telemetry({ meter: createPrometheus().meter, tracer: false })],
  })
