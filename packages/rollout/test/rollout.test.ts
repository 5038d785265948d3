import { memoryStateStore } from '@millrace/core/memory'
import { type FlagDocument, readFlagDocument } from '@millrace/flags'
import { deferred, macrotask } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import type { StateStore } from '@millrace/core'
import { callbackTarget, type LogEntry, stateTarget } from '../src/index.ts'
import { begin, createWorld, type Instance, plan, tell, type World } from './instances.ts'

async function flagOf(store: StateStore): Promise<FlagDocument['flags'][string] | undefined> {
  const read = readFlagDocument((await store.get('millrace:flags'))?.value)
  return read.status === 'read' ? read.document.flags['use_streaming'] : undefined
}

/** Tells of streaming runs that fail, and of control runs that do not, spread over the instances. */
async function tellOfHarm({ clock }: World, instances: readonly Instance[]): Promise<void> {
  for (let index = 0; index < 30; index++) {
    const { recorder } = instances[index % instances.length] ?? {}
    if (recorder === undefined) continue
    tell(recorder, { runId: `s${index}`, outcome: 'failed', at: clock.now() })
    for (let other = 0; other < 19; other++)
      tell(recorder, { runId: `c${index}-${other}`, arm: 'control', at: clock.now() })
  }
  await Promise.all(instances.map(({ recorder }) => recorder.flush()))
}

describe('counting', () => {
  it('adds up over instances, and counts each unit once', async () => {
    const world = createWorld()
    const instances = [world.instance(), world.instance(), world.instance()]
    await begin(world, instances)
    const at = world.clock.now()
    for (const [index, { recorder }] of instances.entries()) {
      tell(recorder, { runId: `a${index}`, unit: 'same user', outcome: index === 0 ? 'completed' : 'failed', at })
      tell(recorder, { runId: `b${index}`, unit: `user ${index}`, arm: 'control', at })
      await recorder.flush()
    }
    const { evidence } = (await instances[0]?.rollout.report()) ?? {}
    expect(evidence).toEqual({
      streaming: { units: 1, observed: 1, bad: {}, any: { run_error: 1, incomplete_stream: 1 } },
      control: { units: 3, observed: 3, bad: {}, any: {} },
    })
  })

  it.each([
    ['a member of a segment', { flagReason: 'TARGETING_MATCH' }],
    ['a run whose caller decided', { reason: 'explicit' }],
    ['a run that the kill switch decided', { reason: 'killed' }],
    ['a run whose flag source failed', { reason: 'flag_error' }],
  ] as const)('leaves out %s', async (_name, decision) => {
    const world = createWorld()
    const { recorder, rollout } = world.instance()
    await begin(world, [{ recorder, rollout, warnings: [] }])
    tell(recorder, { runId: 'a', decision, at: world.clock.now() })
    await recorder.flush()
    expect((await rollout.report()).evidence.streaming.units).toBe(0)
  })

  it('asks isDrawn, and counts by true alone', async () => {
    const world = createWorld()
    const answers = [true, 'yes', undefined, false]
    const counting = { isDrawn: (): boolean => true }
    Reflect.set(counting, 'isDrawn', () => {
      if (answers.length === 0) throw new Error('no more')
      return answers.shift()
    })
    const instance = world.instance({}, counting)
    await begin(world, [instance])
    for (const runId of ['a', 'b', 'c', 'd', 'e']) tell(instance.recorder, { runId, at: world.clock.now() })
    await instance.recorder.flush()
    expect((await instance.rollout.report()).evidence.streaming.units).toBe(1)
    expect(instance.warnings).toEqual(['isDrawn failed; its runs are not counted'])
  })

  it('counts no run, and survives, where isDrawn and onWarning reject', async () => {
    const world = createWorld()
    const counting = { isDrawn: (): boolean => true }
    Reflect.set(counting, 'isDrawn', () => Promise.reject(new Error('later')))
    const asked: Error[] = []
    Reflect.set(counting, 'onWarning', (error: Error) => Promise.reject(new Error(`heard ${asked.push(error)}`)))
    const instance = world.instance({}, counting)
    await begin(world, [instance])
    tell(instance.recorder, { runId: 'a', at: world.clock.now() })
    await macrotask()
    expect((await instance.rollout.report()).evidence.streaming.units).toBe(0)
    expect(asked.map(({ message }) => message)).toEqual(['isDrawn failed; its runs are not counted'])
  })

  it('forgets a run that moves to another instance, and counts what comes back', async () => {
    const world = createWorld()
    const instance = world.instance({}, { limit: 1 })
    await begin(world, [instance])
    const at = world.clock.now()
    tell(instance.recorder, { runId: 'moved', moves: true, at })
    tell(instance.recorder, { runId: 'next', at })
    await instance.recorder.flush()
    expect((await instance.rollout.report()).evidence.streaming.units).toBe(1)
    expect(instance.warnings).toEqual([])
  })

  it('leaves out runs that a user stopped, and runs that start before the percentage has settled', async () => {
    const world = createWorld()
    const { recorder, rollout, warnings } = world.instance()
    await rollout.act({ type: 'start' }, { actor: 'ada', reason: 'ready' })
    await recorder.ready()
    await macrotask()
    world.clock.advance(plan.settle - 1)
    tell(recorder, { runId: 'early', at: world.clock.now() })
    world.clock.advance(1)
    tell(recorder, { runId: 'stopped', outcome: 'interrupted', at: world.clock.now() })
    tell(recorder, { runId: 'counted', at: world.clock.now() })
    await recorder.flush()
    expect((await rollout.report()).evidence.streaming.units).toBe(1)
    expect(warnings).toEqual([])
  })

  it('reports once that runs have no unit, and that the store fails, and throws neither', async () => {
    const store = memoryStateStore()
    const world = createWorld({ ...store, add: () => Promise.reject(new Error('down')) })
    const { recorder, rollout, warnings } = world.instance()
    await begin(world, [{ recorder, rollout, warnings }])
    const at = world.clock.now()
    for (const runId of ['a', 'b']) tell(recorder, { runId, at })
    for (const runId of ['c', 'd']) tell(recorder, { runId, unit: null, at })
    await recorder.flush()
    expect(warnings).toEqual(['runs without a targeting key are not counted', 'a run could not be counted'])
  })
})

describe('a decision', () => {
  it('is made once by controllers that look at the same time, and logged once', async () => {
    const world = createWorld()
    const log: LogEntry[] = []
    const instances = [1, 2, 3].map(() => world.instance({ audit: (entry) => void log.push(entry) }))
    await begin(world, instances)
    await tellOfHarm(world, instances)
    await Promise.all(instances.map(({ rollout }) => rollout.look()))
    expect(log.map(({ action }) => action)).toEqual(['started', 'rolled_back'])
    expect(log.at(-1)?.reason).toMatch(
      /^rolled back "beta" \(5 %\): failed runs in 30 of 30 users that stream and 0 of 570/,
    )
    expect(await flagOf(world.store)).toMatchObject({ rollout: { percent: 0 } })
    expect(instances.flatMap(({ warnings }) => warnings)).toEqual([])
  })

  it('is carried out by another instance if one dies between the decision and the write', async () => {
    const world = createWorld()
    const [first, second] = [
      world.instance({ target: { apply: () => Promise.reject(new Error('killed')) } }),
      world.instance(),
    ]
    await begin(world, [second, first])
    await tellOfHarm(world, [first])
    await first.rollout.look()
    expect((await second.rollout.report()).state.status).toBe('rolled_back')
    expect(await flagOf(world.store)).toMatchObject({ rollout: { percent: 5 } })
    await second.rollout.look()
    expect(await flagOf(world.store)).toMatchObject({ rollout: { percent: 0 } })
  })

  it('is not made at all if an instance dies before it is stored', async () => {
    const store = memoryStateStore()
    const world = createWorld(store)
    const dying = world.instance({ store: { ...store, set: () => Promise.reject(new Error('killed')) } })
    const other = world.instance()
    await begin(world, [other, dying])
    await tellOfHarm(world, [dying])
    expect(await dying.rollout.look()).toBeUndefined()
    expect((await other.rollout.report()).state).toMatchObject({ status: 'running', stage: 0 })
    expect(await flagOf(store)).toMatchObject({ rollout: { percent: 5 } })
    expect(await other.rollout.look()).toMatchObject({ status: 'rolled_back' })
  })

  it('is not undone by a write that comes late', async () => {
    const { store } = createWorld()
    const target = stateTarget({ store })
    const exposure = { flag: 'use_streaming', salt: 's', segments: [], reason: 'r' }
    const { signal } = new AbortController()
    await target.apply({ ...exposure, percent: 0, epoch: 3 }, signal)
    await target.apply({ ...exposure, percent: 10, epoch: 2 }, signal)
    expect(await flagOf(store)).toMatchObject({ rollout: { percent: 0 }, metadata: { rolloutEpoch: 3 } })
  })

  it('stands if the disk is full under the audit log, and is reported', async () => {
    const world = createWorld()
    const full = Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    const instance = world.instance({ audit: () => Promise.reject(full) })
    await begin(world, [instance])
    await tellOfHarm(world, [instance])
    expect(await instance.rollout.look()).toMatchObject({ status: 'rolled_back' })
    expect(await flagOf(world.store)).toMatchObject({ rollout: { percent: 0 } })
    expect(instance.warnings.at(-1)).toBe('the audit log failed; entry 2 is in the state of the rollout only')
    expect((await instance.rollout.report()).state.log.at(-1)?.action).toBe('rolled_back')
  })
})

describe('a store that fails', () => {
  it('is reported, and the next look tries again', async () => {
    const store = memoryStateStore()
    let isDown = false
    const get: StateStore['get'] = (key) => (isDown ? Promise.reject(new Error('down')) : store.get(key))
    const world = createWorld({ ...store, get })
    const instance = world.instance()
    await begin(world, [instance])
    isDown = true
    expect(await instance.rollout.look()).toBeUndefined()
    isDown = false
    expect(await instance.rollout.look()).toMatchObject({ status: 'running' })
    expect(instance.warnings).toEqual(['a look at the rollout failed; the next one tries again'])
  })

  it('does not hold up the next look if it hangs', async () => {
    const store = memoryStateStore()
    const hanging = deferred<never>()
    const world = createWorld({ ...store, counters: () => hanging.promise })
    const { rollout, warnings } = world.instance({ evidence: () => hanging.promise })
    await store.set('millrace:rollout:short', (await createStarted()).value, 0)
    const look = rollout.look()
    await world.clock.timer(10_000)
    world.clock.advance(10_000)
    expect(await look).toBeUndefined()
    expect(warnings).toEqual(['a look took longer than 10000 ms'])
  })

  it('refuses a state that is unreadable, and a plan with fewer stages', async () => {
    const world = createWorld()
    await world.store.set('millrace:rollout:short', { version: 1, status: 'lost' }, 0)
    await expect(world.instance().rollout.report()).rejects.toThrow(
      'the stored state of the rollout "short" is unreadable',
    )
    const started = await createStarted()
    await world.store.set('millrace:rollout:short', { ...started.value, stage: 3 }, 1)
    await expect(world.instance().rollout.report()).rejects.toThrow('is in stage 4, and the plan has only 3')
  })
})

async function createStarted() {
  const { instance } = createWorld()
  const state = await instance().rollout.act({ type: 'start' }, { actor: 'ada', reason: 'ready' })
  return { value: state }
}

describe('a callback target', () => {
  it('writes once for each change, again after a while, and again after a failure', async () => {
    const { clock } = createWorld()
    const written: number[] = []
    let fails = false
    const target = callbackTarget({
      clock,
      write({ percent }) {
        if (fails) throw new Error('down')
        written.push(percent)
      },
    })
    const { signal } = new AbortController()
    const apply = (percent: number, epoch: number) =>
      target.apply({ flag: 'f', salt: 's', segments: [], reason: 'r', percent, epoch }, signal)
    await apply(5, 1)
    await apply(5, 1)
    expect(written).toEqual([5])
    clock.advance(300_000)
    await apply(5, 1)
    expect(written).toEqual([5, 5])
    fails = true
    await expect(apply(10, 2)).rejects.toThrow('down')
    fails = false
    await apply(10, 2)
    expect(written).toEqual([5, 5, 10])
  })
})
