import Anthropic from '@anthropic-ai/sdk'
import { type ClientEvent, createClient, createView, viewText } from '@millrace/client'
import { createAgent, type RunStore, systemClock } from '@millrace/core'
import { runJournal } from '@millrace/core/journal'
import { memoryRunStore, memorySessionStore } from '@millrace/core/memory'
import { createHandler, type Handler } from '@millrace/server'
import { startClaude, text } from '@millrace/testing'
import { once } from 'node:events'
import { createServer, type Server } from 'node:http'
import { expect, onTestFinished, test } from 'vitest'
import { toNodeListener } from '../src/index.ts'

const answer = 'One two three four five six seven eight nine ten eleven twelve.'

/** A store as a process sees it that dies when event `last` is stored: what comes later is lost with it. */
function losing(store: RunStore, last: number): { readonly store: RunStore; readonly lost: Promise<void> } {
  let isLost = (): void => undefined
  const lost = new Promise<void>((resolve) => (isLost = resolve))
  const never = (): Promise<never> => new Promise(() => undefined)
  return {
    lost,
    store: {
      ...store,
      renew: never,
      async append(runId, fence, events) {
        const kept = events.filter(({ seq }) => seq <= last)
        const appended = await store.append(runId, fence, kept)
        if (events.some(({ seq }) => seq > last)) {
          isLost()
          await never()
        }
        return appended
      },
    },
  }
}

async function untilClosed(runs: RunStore, runId: string): Promise<void> {
  const events = runs.read(runId, 0)[Symbol.asyncIterator]()
  while ((await events.next()).done !== true);
}

async function listen(handler: Handler, port: number): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer(toNodeListener(handler)).listen(port, '127.0.0.1')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  await once(server, 'listening')
  const address = server.address()
  return { server, port: typeof address === 'object' ? (address?.port ?? 0) : 0 }
}

test.each(['before', 'after'])(
  'a client that saw more than was stored has the whole text in the end: it is back %s the run was taken over',
  async (when) => {
    // The first stream stops in the middle of the text, and says no more.
    const faults = [{ kind: 'stall', at: { event: 11 }, times: 1 }] as const
    const claude = await startClaude({ script: [{ content: [text(answer)] }], faults })
    onTestFinished(() => claude.close())
    let skipped = 0
    const runs = memoryRunStore({ clock: { ...systemClock, now: () => systemClock.now() + skipped } })
    const sessions = memorySessionStore()
    const service = (store: RunStore): Handler => {
      const client = new Anthropic({ apiKey: 'any', baseURL: claude.url })
      const request = { model: 'claude-sonnet-5-5', max_tokens: 100 }
      const agent = createAgent({ client, request, journal: runJournal(store) })
      return createHandler({ agent, runs: store, sessions, identify: () => 'ada', rawContent: true })
    }
    const dying = losing(runs, 3)
    const first = await listen(service(dying.store), 0)

    const seen: ClientEvent[] = []
    const view = createView()
    const reconnect = { attempts: 1_000, minDelayMs: 1, maxDelayMs: 20 }
    let isBack = (): void => undefined
    const back = new Promise<void>((resolve) => (isBack = resolve))
    let mayComeBack = when === 'before'
    const client = createClient({
      url: `http://127.0.0.1:${first.port}`,
      reconnect,
      fetch: (input, init) => {
        const isFollowing = String(input).includes('/events')
        if (isFollowing && !mayComeBack) return Promise.reject(new TypeError('not yet'))
        const response = fetch(input, init)
        if (isFollowing) response.then(isBack, () => undefined)
        return response
      },
    })
    const run = client.start({ input: 'Count.', sessionId: 'chat' })
    let isCut = (): void => undefined
    const cut = new Promise<void>((resolve) => (isCut = resolve))
    const done = (async () => {
      for await (const events of run.batches()) {
        seen.push(...events)
        view.apply(events)
        if (viewText(view.current()).startsWith('One two three four')) isCut()
      }
    })()
    await Promise.all([cut, dying.lost])
    const { tail } = (await runs.snapshot(run.runId)) ?? { tail: 0 }
    expect(tail).toBe(3)
    expect(view.current().seq).toBeGreaterThan(tail)

    const closed = once(first.server, 'close')
    first.server.close()
    first.server.closeAllConnections()
    await closed
    const handler = service(runs)
    await listen(handler, first.port)
    if (when === 'before') await back
    skipped = 31_000
    expect(await handler.recover()).toEqual({ resumed: [run.runId] })
    if (when === 'after') {
      await untilClosed(runs, run.runId)
      mayComeBack = true
    }
    await done
    expect(view.current()).toMatchObject({ status: 'finished', outcome: 'completed' })
    expect(viewText(view.current())).toBe(answer)
    const resets = seen.filter(({ type }) => type === 'reset')
    expect(resets).toEqual([{ type: 'reset', seq: 0, reason: when === 'before' ? 'gone' : 'mismatch' }])
    expect((await sessions.load('ada/chat')).messages).toHaveLength(2)
  },
)
