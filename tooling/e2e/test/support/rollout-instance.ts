import { createServer, type Server } from 'node:http'
import { once } from 'node:events'
import Anthropic from '@anthropic-ai/sdk'
import { adaptLoop, type AgentEvent, type Clock, createAgent, type StateStore } from '@millrace/core'
import { type LocalFlagSource, stateFlags } from '@millrace/flags'
import {
  createRecorder,
  createRollout,
  type LogEntry,
  type Rollout,
  type RolloutPlan,
  type RolloutRecorder,
  type RolloutTarget,
  stateTarget,
} from '@millrace/rollout'
import { createRolloutHandler } from '@millrace/rollout/http'

export interface InstanceOptions {
  readonly store: StateStore
  readonly plan: RolloutPlan
  readonly clock: Clock
  readonly claudeUrl: string
  readonly log: LogEntry[]
  /** How each run of all instances was decided, and whether the legacy loop answered it, in the order of their ends. */
  readonly runs: { readonly arm: string; readonly legacy: boolean }[]
  /** Whether the process is dead: it then sets no percentage any more. */
  readonly isDead?: () => boolean
}

/** One process of the sample application, with its own flags, recorder and controller over a shared store. */
export interface Instance extends AsyncDisposable {
  readonly url: string
  readonly flags: LocalFlagSource
  readonly recorder: RolloutRecorder
  readonly rollout: Rollout
  readonly warnings: string[]
}

const token = 'Bearer of-the-operator'
export const operator = { authorization: token, 'content-type': 'application/json' }

/** Serves `GET /answer?user=…` by a legacy loop that streams for some users, and the rollout below `/rollout`. */
export async function startInstance(options: InstanceOptions): Promise<Instance> {
  const { store, plan, clock, claudeUrl, log, runs, isDead = () => false } = options
  const warnings: string[] = []
  const onWarning = ({ message }: Error): void => void warnings.push(message)
  const flags = stateFlags({ store, clock })
  const recorder = createRecorder({ store, plan, clock, onWarning })
  const real = stateTarget({ store, clock })
  const target: RolloutTarget = {
    async apply(exposure, signal) {
      if (isDead()) throw new Error('the process is dead')
      await real.apply(exposure, signal)
    },
  }
  const audit = (entry: LogEntry): void => void log.push(entry)
  const rollout = createRollout({ store, plan, target, clock, onWarning, audit })
  const answer = sampleLoop({ claudeUrl, flags, onEvent: recorder.onEvent, runs })
  const handler = createRolloutHandler({
    rollout,
    authorize: (request) => request.headers.get('authorization') === token,
    actor: () => 'grace',
  })
  const server = await listen(answer, handler)
  return {
    ...server,
    flags,
    recorder,
    rollout,
    warnings,
    async [Symbol.asyncDispose]() {
      await flags.close()
      recorder.close()
      rollout.close()
      await server.close()
    },
  }
}

function sampleLoop({
  claudeUrl,
  flags,
  onEvent,
  runs,
}: {
  readonly claudeUrl: string
  readonly flags: LocalFlagSource
  readonly onEvent: (event: AgentEvent) => void
  readonly runs: InstanceOptions['runs']
}): (question: string, user: string) => Promise<string> {
  const arms = new Map<string, string>()
  const fellBack = new Set<string>()
  return adaptLoop({
    legacy: async (question: string, _user: string) => `legacy answer to ${question}`,
    agent: createAgent({
      client: new Anthropic({ apiKey: 'any', baseURL: claudeUrl, maxRetries: 0 }),
      request: { model: 'claude-opus-5-5', max_tokens: 100 },
      recovery: { backoff: 0 },
    }),
    toInput: (question) => ({ messages: [{ role: 'user', content: question }] }),
    fromResult: ({ text }) => text,
    flags,
    context: (_question, user) => ({ targetingKey: user, email: user }),
    onEvent(event) {
      onEvent(event)
      if (event.type === 'run.started') arms.set(event.runId, event.decision.arm)
      if (event.type === 'turn.started' && event.mode === 'legacy') fellBack.add(event.runId)
      if (event.type === 'run.finished') {
        runs.push({ arm: arms.get(event.runId) ?? '', legacy: fellBack.has(event.runId) })
      }
    },
  })
}

async function listen(
  answer: (question: string, user: string) => Promise<string>,
  rollout: (request: Request) => Promise<Response>,
): Promise<{ readonly url: string; readonly close: () => Promise<void> }> {
  const server: Server = createServer((request, response) => {
    void respond().then(
      async (made) => {
        response.writeHead(made.status)
        response.end(await made.text())
      },
      () => response.writeHead(500).end(),
    )

    async function respond(): Promise<Response> {
      const url = new URL(request.url ?? '/', 'http://127.0.0.1')
      if (url.pathname === '/answer')
        return new Response(await answer('Where is it?', url.searchParams.get('user') ?? ''))
      const headers = new Headers()
      for (const name of ['authorization', 'content-type'] as const) {
        const value = request.headers[name]
        if (value !== undefined) headers.set(name, value)
      }
      const { method = 'GET' } = request
      const chunks: Uint8Array[] = await request.toArray()
      return rollout(new Request(url, { method, headers, ...(method === 'POST' && { body: Buffer.concat(chunks) }) }))
    }
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (typeof address !== 'object' || address === null) throw new TypeError('the server has no port')
  return {
    url: `http://127.0.0.1:${address.port}`,
    async close() {
      server.closeAllConnections()
      server.close()
      await once(server, 'close')
    },
  }
}
