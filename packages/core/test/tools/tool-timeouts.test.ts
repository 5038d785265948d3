import { deferred, manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { only } from '../support/scripted.ts'
import { fail, type Plain, type Run, runWith, toolOf, untyped } from './running-a-tool.ts'

describe('a tool whose time is up', () => {
  interface Late {
    readonly clock: ManualClock
    readonly started: Promise<void>
    readonly run: Promise<Run>
  }

  function late(body: (signal: AbortSignal) => unknown, options: Partial<Plain> = {}): Late {
    const clock = manualClock()
    const started = deferred()
    const tool = toolOf({
      timeout: 30_000,
      ...options,
      run(_input, { signal }) {
        started.resolve()
        return body(signal)
      },
    })
    return { clock, started: started.promise, run: runWith(tool, undefined, { runtime: { clock } }) }
  }

  const untilAbort = (signal: AbortSignal): Promise<never> =>
    new Promise((_resolve, reject) =>
      signal.addEventListener('abort', () => reject(new Error('stopped')), { once: true }),
    )

  it('ends as timeout where it is read-only, whether it stops at its signal or not', async () => {
    const obedient = late(untilAbort, { readOnly: true })
    await obedient.started
    obedient.clock.advance(30_000)
    const { events, told, result } = await obedient.run
    expect(only(events, 'tool.finished')).toMatchObject([{ outcome: 'timeout', durationMs: 30_000 }])
    expect(told).toMatchObject([{ is_error: true, content: 'The call took longer than 30000 ms' }])
    expect(result.outcome).toBe('completed')
    expect(obedient.clock.pending).toBe(0)

    const hanging = late(() => new Promise(() => {}), { readOnly: true })
    await hanging.started
    hanging.clock.advance(30_000)
    await hanging.clock.timer(1_000)
    hanging.clock.advance(1_000)
    expect(only((await hanging.run).events, 'tool.finished')).toMatchObject([
      { outcome: 'timeout', result: 'The call took longer than 30000 ms' },
    ])
  })

  it('and who gives a result at its signal has given it', async () => {
    const { clock, started, run } = late((signal) => untilAbort(signal).catch(() => 'what there was'))
    await started
    clock.advance(30_000)
    const { told } = await run
    expect(told).toMatchObject([{ content: 'what there was' }])
  })

  it('and who ignores its signal is left behind: its outcome is unknown, and the model is told so', async () => {
    const release = deferred<string>()
    const { clock, started, run } = late(() => release.promise)
    await started
    clock.advance(30_000)
    await clock.timer(1_000)
    clock.advance(1_000)
    const { events, told, result } = await run
    expect(only(events, 'tool.finished')).toMatchObject([{ outcome: 'unknown', durationMs: 31_000 }])
    expect(told).toMatchObject([
      { is_error: true, content: expect.stringContaining('it is unknown whether it took effect') },
    ])
    expect(result.outcome).toBe('completed')
    expect(clock.pending).toBe(0)
    // What it gives now changes nothing.
    release.resolve('too late')
    expect(only(events, 'tool.finished')).toHaveLength(1)
  })

  it('and is a generator is asked to clean up', async () => {
    let cleaned = false
    const step = deferred()
    const listening = deferred()
    const { clock, run } = late(async function* (signal) {
      signal.addEventListener('abort', () => step.resolve(), { once: true })
      listening.resolve()
      try {
        await step.promise
        yield { message: 'too late' }
        return 'never'
      } finally {
        cleaned = true
      }
    })
    await listening.promise
    clock.advance(30_000)
    const { events } = await run
    expect(only(events, 'tool.finished')).toMatchObject([{ outcome: 'unknown' }])
    expect(only(events, 'tool.progress')).toEqual([])
    expect(cleaned).toBe(true)
  })

  it.each<[string, Plain['reconcile'], object]>([
    ['that it happened', () => ({ happened: true, result: { charge: 1 } }), { outcome: 'ok', result: '{"charge":1}' }],
    [
      'that it did not',
      () => Promise.resolve({ happened: false }),
      { outcome: 'timeout', result: expect.stringContaining('took no effect') },
    ],
    ['that it cannot tell', () => undefined, { outcome: 'unknown' }],
    ['nonsense', untyped(() => 'yes'), { outcome: 'unknown' }],
    ['nothing and throws', () => fail(new Error('x')), { outcome: 'unknown' }],
    ['nothing and rejects', () => Promise.reject(new Error('x')), { outcome: 'unknown' }],
  ])('is asked to reconcile, and says %s', async (_what, reconcile, expected) => {
    const asked: unknown[] = []
    const { clock, started, run } = late(() => new Promise(() => {}), {
      reconcile(input, context) {
        asked.push([input, context.toolUseId, context.idempotencyKey.endsWith(':toolu_1')])
        return reconcile?.(input, context)
      },
    })
    await started
    clock.advance(30_000)
    await clock.timer(1_000)
    clock.advance(1_000)
    const { events } = await run
    expect(only(events, 'tool.finished')).toMatchObject([expected])
    expect(asked).toEqual([[{ id: 'toolu_1' }, 'toolu_1', true]])
    expect(clock.pending).toBe(0)
  })

  it('is asked to reconcile, and hangs: its outcome is unknown', async () => {
    const asked = deferred<AbortSignal>()
    const { clock, started, run } = late(() => new Promise(() => {}), {
      reconcile(_input, { signal }) {
        asked.resolve(signal)
        return new Promise(() => {})
      },
    })
    await started
    clock.advance(30_000)
    await clock.timer(1_000)
    clock.advance(1_000)
    const signal = await asked.promise
    clock.advance(1_000)
    expect(only((await run).events, 'tool.finished')).toMatchObject([{ outcome: 'unknown' }])
    expect(signal.aborted).toBe(true)
    expect(clock.pending).toBe(0)
  })

  it('has the time of the agent where it says none', async () => {
    const clock = manualClock()
    const started = deferred()
    const tool = toolOf({
      run(_input, { signal }) {
        started.resolve()
        return untilAbort(signal)
      },
    })
    const run = runWith(tool, undefined, { runtime: { clock }, limits: { toolTimeout: 7_000 } })
    await started.promise
    clock.advance(7_000)
    expect(only((await run).events, 'tool.finished')).toMatchObject([
      { outcome: 'unknown', result: expect.stringContaining('took longer than 7000 ms') },
    ])
  })
})
