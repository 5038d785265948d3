import { type ScriptedClaude, validateMessages } from '@millrace/testing'
import { manualClock, type ManualClock } from '@millrace/testing/async'
import { expect } from 'vitest'
import { type AgentEvent, createAgent, type RunResult, type RunStore } from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { historyText, screenOf } from '../recovery/screen.ts'
import { frameByFrame } from '../support/frame-by-frame.ts'
import { clientOf, only, question, request } from '../support/scripted.ts'
import { type Effect, type Scenario, toolsOn } from './crash-scenarios.ts'
import { dyingStore } from './dying-store.ts'
import { storedEvents } from './stored-events.ts'

export const runId: string = 'run-1'

/** What outlives a process. */
export interface World {
  readonly claude: ScriptedClaude
  readonly store: RunStore
  readonly clock: ManualClock
  readonly effects: Effect[]
}

export function createWorld(claude: ScriptedClaude, { turns, faults = [] }: Scenario): World {
  const clock = manualClock()
  claude.setScript(turns)
  claude.setFaults(faults)
  return { claude, store: memoryRunStore({ clock }), clock, effects: [] }
}

function agentIn(
  { claude, clock, effects }: World,
  store: RunStore,
  { options, tools, frameByFrame: isSlow = false }: Scenario,
): ReturnType<typeof createAgent> {
  return createAgent({
    client: isSlow ? frameByFrame(claude, () => {}) : clientOf(claude),
    request,
    tools: [...toolsOn(effects), ...(tools?.(effects) ?? [])],
    recovery: { backoff: 0 },
    runtime: { clock },
    journal: runJournal(store, { crashes: { inARow: 100, total: 100, backoff: 0 } }),
    ...options,
  })
}

/** The first process: it dies when its event `lastSeq` is stored. Gives its result if it lives to see its end. */
export async function live(world: World, scenario: Scenario, lastSeq: number): Promise<RunResult | undefined> {
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

/** A further process, when the lease of the one before has run out. What the run was started with is stored. */
export async function takeOver(world: World, scenario: Scenario, lastSeq: number): Promise<RunResult | undefined> {
  const store = dyingStore(world.store, lastSeq)
  const agent = agentIn(world, store, scenario)
  expect(await agent.resume(runId)).toMatchObject({ status: 'held' })
  world.clock.advance(30_000)
  if (scenario.afterwards !== undefined) world.claude.setScript(scenario.afterwards)
  const resumed = await agent.resume(runId)
  expect(resumed.status).toBe('resumed')
  if (resumed.status !== 'resumed') return undefined
  return Promise.race([resumed.run.result, store.died.then(() => undefined)])
}

/** What holds of a run that ended, however often its process died. */
export async function check(
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
  checkCalls(events, at)
}

/** No client is left with a call that never ends, nor told more often that one was discarded than it started. */
function checkCalls(events: readonly AgentEvent[], at: string): void {
  for (const { toolUseId } of only(events, 'tool.started')) {
    const calls = events.filter((event) => 'toolUseId' in event && event.toolUseId === toolUseId)
    const started = only(calls, 'tool.started')
    const ended = only(calls, 'tool.finished')
    const discarded = ended.filter(({ outcome }) => outcome === 'discarded')
    expect(ended.at(-1)?.seq, `${at}: end of ${toolUseId}`).toBeGreaterThan(started.at(-1)?.seq ?? 0)
    expect(discarded.length, `${at}: ends of ${toolUseId} as discarded`).toBeLessThanOrEqual(started.length)
  }
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

export async function lengthOf(claude: ScriptedClaude, scenario: Scenario): Promise<number> {
  const world = createWorld(claude, scenario)
  const result = await live(world, scenario, Number.POSITIVE_INFINITY)
  expect(result).toBeDefined()
  if (result !== undefined) await check(world, scenario, result, 'without a crash')
  return (await storedEvents(world.store, runId)).length
}
