import { getEventListeners } from 'node:events'
import { text, toolUse, type Turn } from '@millrace/testing'
import { deferred, macrotask } from '@millrace/testing/async'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type AgentOptions, defineTool, type Middleware } from '../../src/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { agentOn, claudeFor, eventsOf, question } from '../support/scripted.ts'

/** Gives what the platform has warned of since. */
function watchWarnings(): () => Promise<readonly string[]> {
  const warnings: string[] = []
  const onWarning = ({ message }: Error): void => void warnings.push(message)
  process.on('warning', onWarning)
  onTestFinished(() => void process.off('warning', onWarning))
  return async () => {
    // It warns in a later task.
    await macrotask()
    return warnings
  }
}

const listeners = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length

const count = 40
const manyCalls: readonly Turn[] = [
  { content: [text('All at once.'), ...Array.from({ length: count }, (_, index) => toolUse('look', { index }))] },
  { content: [text('Done.')] },
]

describe(`${count} calls at once`, () => {
  it.each<[string, Partial<AgentOptions>, readOnly: boolean]>([
    ['that run when their turn is whole', {}, false],
    ['that start early', { eagerTools: true }, true],
  ])('%s leave one listener on the signal of their run, and none at its end', async (_how, options, readOnly) => {
    const warnings = watchWarnings()
    const most = { run: 0, caller: 0, call: 0 }
    const controller = new AbortController()
    let waiting = 0
    const all = deferred()
    const watching: Middleware = {
      name: 'watching',
      async tool(call, next, { signal }) {
        // What a middleware adds to the signal of its call is its own business, and is not added up.
        const ignore = (): void => {}
        call.signal.addEventListener('abort', ignore)
        most.call = Math.max(most.call, listeners(call.signal))
        try {
          return await next(call)
        } finally {
          most.run = Math.max(most.run, listeners(signal))
          call.signal.removeEventListener('abort', ignore)
        }
      },
    }
    const look = defineTool({
      name: 'look',
      description: '',
      inputSchema: { jsonSchema: { type: 'object' } },
      readOnly,
      run() {
        most.caller = Math.max(most.caller, listeners(controller.signal))
        if (++waiting === count) all.resolve()
        return all.promise
      },
    })
    const use = [watching, ...Array.from({ length: 12 }, (_, index) => ({ ...passing, name: `passing ${index}` }))]
    const agent = agentOn(await claudeFor(manyCalls), {
      tools: [look],
      use,
      limits: { parallelTools: count },
      ...options,
    })
    const run = agent.run({ messages: question, signal: controller.signal })
    expect((await run.result).outcome).toBe('completed')
    expect(most).toEqual({ run: 1, caller: 1, call: 2 })
    expect(listeners(controller.signal)).toBe(0)
    expect(await warnings()).toEqual([])
  })
})

const passing: Middleware = {
  name: 'passing',
  run: (_scope, next) => next(),
  turn: (scope, next) => next(scope),
  tool: (call, next) => next(call),
}

it('a hundred runs leave one listener on the signal that they share, and none when they are over', async () => {
  const warnings = watchWarnings()
  const { signal } = new AbortController()
  const agent = agentOn(await claudeFor(() => ({ content: [text('Done.')] })))
  const runs = Array.from({ length: 100 }, () => agent.run({ messages: question, signal }))
  // Each run attaches in a microtask of its own.
  await macrotask()
  expect(listeners(signal)).toBe(1)
  for (const { outcome } of await Promise.all(runs.map(({ result }) => result))) expect(outcome).toBe('completed')
  expect(listeners(signal)).toBe(0)
  expect(await warnings()).toEqual([])
})

it('a hundred runs on one signal are all stopped by it', async () => {
  const warnings = watchWarnings()
  const controller = new AbortController()
  const agent = agentOn(await claudeFor(() => ({ content: [text('Done.')] })))
  const runs = Array.from({ length: 100 }, () => agent.run({ messages: question, signal: controller.signal }))
  await macrotask()
  controller.abort()
  for (const { outcome } of await Promise.all(runs.map(({ result }) => result))) expect(outcome).toBe('interrupted')
  expect(listeners(controller.signal)).toBe(0)
  expect(await warnings()).toEqual([])
})

it('fifty readers of one run cause no warning', async () => {
  const warnings = watchWarnings()
  const agent = agentOn(await claudeFor(() => ({ content: [text('Done.')] })))
  const run = agent.run({ messages: question })
  const read = await Promise.all(Array.from({ length: 50 }, () => eventsOf(run)))
  expect(new Set(read.map(({ length }) => length)).size).toBe(1)
  expect(await warnings()).toEqual([])
})

it('fifty readers of a store that share a signal leave one listener on it, and none when they leave', async () => {
  const warnings = watchWarnings()
  const store = memoryRunStore()
  await store.create({ runId: 'run-1', messages: [], createdAt: 0 }, 60_000)
  const controller = new AbortController()
  const read = async (): Promise<number> => {
    let batches = 0
    for await (const _ of store.read('run-1', 0, controller.signal)) batches += 1
    return batches
  }
  const readers = Array.from({ length: 50 }, read)
  await macrotask()
  expect(listeners(controller.signal)).toBe(1)
  controller.abort()
  expect(await Promise.all(readers)).toEqual(Array.from({ length: 50 }, () => 0))
  expect(listeners(controller.signal)).toBe(0)
  expect(await warnings()).toEqual([])
})
