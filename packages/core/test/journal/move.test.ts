import { text, toolUse } from '@millrace/testing'
import { deferred } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import {
  defineTool,
  type LocalAgent,
  type RunResult,
  type RunStore,
  type Tool,
  ToolError,
  type ToolOptions,
} from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { agentOn, claudeFor, eventsOf, question } from '../support/scripted.ts'
import { storedEvents } from './stored-events.ts'

const runId = 'run-1'
const move = { retryMs: 100 }
const twoTurns = [{ content: [toolUse('act', {}, { id: 'toolu_1' })] }, { content: [text('All is done.')] }]

const inputSchema = { jsonSchema: { type: 'object', properties: {} } } as const

function act(options: Partial<Omit<ToolOptions<unknown>, 'inputSchema'>>): Tool {
  return defineTool({ name: 'act', description: 'Acts.', run: () => 'acted', ...options, inputSchema })
}

async function resumed(agent: LocalAgent): Promise<RunResult> {
  const taken = await agent.resume(runId)
  if (taken.status !== 'resumed') throw new Error(taken.status)
  return taken.run.result
}

async function agents(store: RunStore): Promise<(tool: Tool) => LocalAgent> {
  const claude = await claudeFor(twoTurns)
  return (tool) => agentOn(claude, { tools: [tool], journal: runJournal(store) })
}

describe('a run that moves', () => {
  it('stops at the end of its turn, lets its lease go, and is finished by another process', async () => {
    const store = memoryRunStore()
    const agentWith = await agents(store)
    let calls = 0
    const tool = act({ run: () => `call ${++calls}` })
    const run = agentWith(tool).run({ messages: question, runId })
    run.move(move)
    expect(await run.result).toMatchObject({ outcome: 'interrupted', error: { code: 'run_moved', retryable: true } })
    expect((await eventsOf(run)).at(-1)).toMatchObject({ type: 'run.moving', retryMs: 100 })
    expect(await store.abandoned(10)).toEqual([runId])
    expect(await resumed(agentWith(tool))).toMatchObject({ outcome: 'completed', text: 'All is done.' })
    expect(calls).toBe(1)
    const types = (await storedEvents(store, runId)).map(({ type }) => type)
    expect(types.filter((type) => type.startsWith('run.'))).toEqual([
      'run.started',
      'run.moving',
      'run.resumed',
      'run.finished',
    ])
  })

  it.each([
    ['a plain tool: its outcome is unknown', {}, 'unknown', 1],
    ['an idempotent tool: it runs again', { idempotent: true }, 'ok', 2],
    ['a tool with reconcile: it is asked', { reconcile: () => ({ happened: true, result: 'known' }) }, 'ok', 1],
  ] as const)('leaves a call that it stops to the next process (%s)', async (_, options, outcome, calls) => {
    const store = memoryRunStore()
    const agentWith = await agents(store)
    const began = deferred()
    const keys: string[] = []
    const stopping = act({
      // The first process has nobody to ask, so that it is the second that asks.
      ...('idempotent' in options && { idempotent: true }),
      run(_input, { signal, idempotencyKey }) {
        keys.push(idempotencyKey)
        began.resolve()
        return new Promise((_resolve, reject) => {
          signal.addEventListener('abort', () => reject(signal.reason))
        })
      },
    })
    const run = agentWith(stopping).run({ messages: question, runId })
    await began.promise
    run.move({ ...move, now: true })
    expect(await run.result).toMatchObject({ error: { code: 'run_moved' } })
    const second = act({ ...options, run: (_input, { idempotencyKey }) => void keys.push(idempotencyKey) })
    expect(await resumed(agentWith(second))).toMatchObject({ outcome: 'completed' })
    expect(await storedEvents(store, runId)).toContainEqual(expect.objectContaining({ type: 'tool.finished', outcome }))
    expect(keys).toEqual(Array.from({ length: calls }, () => `${runId}:toolu_1`))
  })

  it('keeps the result of a tool that ends at its signal', async () => {
    const store = memoryRunStore()
    const agentWith = await agents(store)
    const began = deferred()
    const tool = act({
      run(_input, { signal }) {
        began.resolve()
        return new Promise((resolve) => {
          signal.addEventListener('abort', () => resolve('just in time'))
        })
      },
    })
    const run = agentWith(tool).run({ messages: question, runId })
    await began.promise
    run.move({ ...move, now: true })
    await run.result
    const result = await resumed(agentWith(act({ run: () => Promise.reject(new ToolError('called again')) })))
    expect(JSON.stringify(result.messages)).toContain('just in time')
  })

  it('ends where it is when it is cancelled first', async () => {
    const store = memoryRunStore()
    const agentWith = await agents(store)
    const run = agentWith(act({})).run({ messages: question, runId })
    run.interrupt('user')
    run.move({ ...move, now: true })
    expect((await run.result).error).toBeUndefined()
    expect(await store.snapshot(runId)).toMatchObject({ closed: true, outcome: 'interrupted' })
  })

  it('is interrupted by now, where nothing stores it', async () => {
    const claude = await claudeFor(async () => new Promise(() => {}))
    const run = agentOn(claude).run({ messages: question })
    await claude.nextRequest()
    run.move(move)
    run.move({ ...move, now: true })
    expect(await run.result).toMatchObject({ outcome: 'interrupted' })
    expect((await eventsOf(run)).at(-1)).toMatchObject({ type: 'run.finished' })
  })
})

describe('a run that crashes its process again and again', () => {
  it('is given up as crash_loop, and its calls are settled', async () => {
    const store = memoryRunStore()
    const agentWith = await agents(store)
    const began = deferred()
    let runs = 0
    let ran = deferred()
    const hangs = act({
      idempotent: true,
      run() {
        runs++
        began.resolve()
        ran.resolve()
        return new Promise(() => {})
      },
    })
    void agentWith(hangs).run({ messages: question, runId })
    await began.promise
    const claude = await claudeFor(twoTurns)
    const journal = runJournal(store, { crashes: { inARow: 3, backoff: 0 } })
    const next = (): LocalAgent => agentOn(claude, { tools: [hangs], journal })
    const fenceOf = async (fence: number): Promise<unknown> => store.renew(runId, fence, 0)
    for (let crash = 1; crash <= 3; crash++) {
      await fenceOf(crash)
      ran = deferred()
      const taken = await next().resume(runId)
      expect(taken.status).toBe('resumed')
      await ran.promise
    }
    await fenceOf(4)
    const result = await resumed(next())
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'crash_loop' } })
    expect(runs).toBe(4)
    expect(await storedEvents(store, runId)).toContainEqual(
      expect.objectContaining({ type: 'tool.finished', outcome: 'unknown' }),
    )
    expect(await store.snapshot(runId)).toMatchObject({ closed: true, outcome: 'failed' })
  })
})
