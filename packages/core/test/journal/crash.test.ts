import { type ScriptedClaude, validateMessages } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { type AgentEvent, createAgent, type RunResult, type RunStore } from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/memory.ts'
import { historyText, screenOf } from '../recovery/screen.ts'
import { type ManualClock, manualClock } from '../support/manual-clock.ts'
import { claudeFor, clientOf, only, question, request } from '../support/scripted.ts'
import { type Effect, type Scenario, scenarios, toolsOn } from './crash-scenarios.ts'
import { dyingStore } from './dying-store.ts'
import { storedEvents } from './stored-events.ts'

const runId = 'run-1'

/** What outlives a process. */
interface World {
  readonly claude: ScriptedClaude
  readonly store: RunStore
  readonly clock: ManualClock
  readonly effects: Effect[]
}

function createWorld(claude: ScriptedClaude, { turns, faults = [] }: Scenario): World {
  const clock = manualClock()
  claude.setScript(turns)
  claude.setFaults(faults)
  return { claude, store: memoryRunStore({ clock }), clock, effects: [] }
}

function agentIn(
  { claude, clock, effects }: World,
  store: RunStore,
  { options }: Scenario,
): ReturnType<typeof createAgent> {
  return createAgent({
    client: clientOf(claude),
    request,
    tools: toolsOn(effects),
    recovery: { backoff: 0 },
    runtime: { clock },
    journal: runJournal(store),
    ...options,
  })
}

/** The first process: it dies when its event `lastSeq` is stored. Gives its result if it lives to see its end. */
async function live(world: World, scenario: Scenario, lastSeq: number): Promise<RunResult | undefined> {
  const { retraction, mode = 'stream' } = scenario
  const store = dyingStore(world.store, lastSeq)
  const run = agentIn(world, store, scenario).run({
    messages: question,
    runId,
    mode,
    ...(retraction !== undefined && { retraction }),
  })
  return Promise.race([run.result, store.died.then(() => undefined)])
}

/** A further process, when the lease of the one before has run out. */
async function takeOver(world: World, scenario: Scenario, lastSeq: number): Promise<RunResult | undefined> {
  const { retraction } = scenario
  const store = dyingStore(world.store, lastSeq)
  const agent = agentIn(world, store, scenario)
  expect(await agent.resume(runId)).toMatchObject({ status: 'held' })
  world.clock.advance(30_000)
  const resumed = await agent.resume(runId, retraction === undefined ? {} : { retraction })
  expect(resumed.status).toBe('resumed')
  if (resumed.status !== 'resumed') return undefined
  return Promise.race([resumed.run.result, store.died.then(() => undefined)])
}

/** What holds of a run that ended, however often its process died. */
async function check(
  { store, effects, claude }: World,
  { outcome }: Scenario,
  result: RunResult,
  at: string,
): Promise<void> {
  const events = await storedEvents(store, runId)
  // Where the end alone is missing, nobody knows any more why the turn had broken off.
  expect(outcome === 'failed' ? ['failed', 'interrupted'] : [outcome], at).toContain(result.outcome)
  expect(
    events.map(({ seq }) => seq),
    at,
  ).toEqual(events.map((_, index) => index + 1))
  expect(only(events, 'run.finished'), at).toEqual([events.at(-1)])
  expect(only(events, 'run.started'), at).toHaveLength(1)
  expect(await store.snapshot(runId), at).toMatchObject({ closed: true, outcome: result.outcome })
  const screen = screenOf(events)
  expect(screen.problems, at).toEqual([])
  expect(screen.text(), at).toBe(historyText(result.newMessages))
  expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }]), at).toBeUndefined()
  expect(
    claude.requests.filter(({ error }) => error !== undefined),
    at,
  ).toEqual([])
  checkEffects(events, effects, at)
}

function checkEffects(events: readonly AgentEvent[], effects: readonly Effect[], at: string): void {
  for (const name of ['charge', 'mail', 'book']) {
    const ends = only(events, 'tool.finished').filter((event) => event.name === name && event.outcome !== 'cancelled')
    const mine = effects.filter((effect) => effect.name === name)
    if (ends.length === 0) continue
    expect(ends, `${at}: ends of ${name}`).toHaveLength(1)
    // The key survives the takeover, so that an idempotent tool has its effect once.
    expect(new Set(mine.map(({ idempotencyKey }) => idempotencyKey)).size, `${at}: keys of ${name}`).toBeLessThan(2)
    if (name === 'mail') expect(mine.length, `${at}: runs of mail`).toBeGreaterThan(0)
    else if (ends[0]?.outcome === 'unknown') expect(mine.length, `${at}: runs of ${name}`).toBeLessThan(2)
    else expect(mine.length, `${at}: runs of ${name}`).toBe(1)
    if (name === 'book') expect(ends[0]?.outcome, at).toBe('ok')
  }
}

async function lengthOf(claude: ScriptedClaude, scenario: Scenario): Promise<number> {
  const world = createWorld(claude, scenario)
  const result = await live(world, scenario, Number.POSITIVE_INFINITY)
  expect(result).toBeDefined()
  if (result !== undefined) await check(world, scenario, result, 'without a crash')
  return (await storedEvents(world.store, runId)).length
}

describe.each(Object.entries(scenarios))('a run %s', (_name, scenario) => {
  it('is taken over and ends as it should, whichever event its process died after', async () => {
    const claude = await claudeFor([])
    const length = await lengthOf(claude, scenario)
    for (let lastSeq = 0; lastSeq < length; lastSeq++) {
      const at = `died after event ${lastSeq} of ${length}`
      const world = createWorld(claude, scenario)
      expect(await live(world, scenario, lastSeq), at).toBeUndefined()
      const result = await takeOver(world, scenario, Number.POSITIVE_INFINITY)
      expect(result, at).toBeDefined()
      if (result !== undefined) await check(world, scenario, result, at)
    }
  })

  it('is taken over again where that process dies as well', async () => {
    const claude = await claudeFor([])
    const length = await lengthOf(claude, scenario)
    const step = Math.ceil(length / 12)
    for (let first = 0; first < length; first += step) {
      for (let second = first + 1; second < length; second += step) {
        const at = `died after events ${first} and ${second} of ${length}`
        const world = createWorld(claude, scenario)
        await live(world, scenario, first)
        const early = await takeOver(world, scenario, second)
        const result = early ?? (await takeOver(world, scenario, Number.POSITIVE_INFINITY))
        expect(result, at).toBeDefined()
        if (result !== undefined) await check(world, scenario, result, at)
      }
    }
  })
})

describe('a turn that was to be continued', () => {
  const scenario = scenarios['whose shown text was continued']

  it('is continued by the process that takes over, and not again by the next one where that dies as well', async () => {
    const claude = await claudeFor([])
    expect(scenario).toBeDefined()
    if (scenario === undefined) return
    const whole = createWorld(claude, scenario)
    await live(whole, scenario, Number.POSITIVE_INFINITY)
    const fallback = only(await storedEvents(whole.store, runId), 'fallback')[0]
    expect(fallback?.to).toBe('continue')

    const world = createWorld(claude, scenario)
    await live(world, scenario, fallback?.seq ?? 0)
    const counted = createWorld(claude, scenario)
    await live(counted, scenario, fallback?.seq ?? 0)
    await takeOver(counted, scenario, Number.POSITIVE_INFINITY)
    const [committed] = only(await storedEvents(counted.store, runId), 'turn.finished')
    expect(committed).toMatchObject({ stopReason: null, salvaged: true })

    expect(await takeOver(world, scenario, committed?.seq ?? 0)).toBeUndefined()
    const result = await takeOver(world, scenario, Number.POSITIVE_INFINITY)
    expect(result?.outcome).toBe('completed')
    if (result !== undefined) await check(world, scenario, result, 'died twice')
    expect(JSON.stringify(result?.messages).split('cut off')).toHaveLength(2)
  })
})
