import { AsyncLocalStorage } from 'node:async_hooks'
import { type FaultPlan, validateMessages } from '@millrace/testing'
import { manualClock, type ManualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import type { AgentEvent, FlagClient, LegacyScope, RunResult, RunStore } from '../../src/index.ts'
import { runJournal } from '../../src/journal/index.ts'
import { memoryRunStore } from '../../src/stores/memory.ts'
import { dyingStore } from '../journal/dying-store.ts'
import { storedEvents } from '../journal/stored-events.ts'
import { eventsOf, only, question } from '../support/scripted.ts'
import { legacyAnswer, noRetry, secondTurnBreaks, type Setup, setUp, type SetupOptions } from './set-up.ts'

const runId = 'run-1'
const off: FlagClient = { getBooleanDetails: () => ({ value: false }) }
const refused: FaultPlan = [{ kind: 'status', status: 400 }]

interface World {
  readonly clock: ManualClock
  readonly store: RunStore
}

function createWorld(): World {
  const clock = manualClock()
  return { clock, store: memoryRunStore({ clock }) }
}

/** An adapted loop whose runs are recorded in `store`, in a process of its own. */
function process(store: RunStore, clock: ManualClock, options: SetupOptions = {}): Promise<Setup> {
  const { agent, adapt } = options
  return setUp({
    ...options,
    agent: { journal: runJournal(store), runtime: { clock }, recovery: noRetry, ...agent },
    adapt: { runtime: { newId: () => runId, clock }, ...adapt },
  })
}

/** Runs to the end, and compares what was sent with what is stored. */
async function expectStoredAsSent(options: SetupOptions, act?: (setup: Setup) => void): Promise<RunResult> {
  const { store, clock } = createWorld()
  const setup = await process(store, clock, options)
  const run = setup.loop.run('Charge me')
  act?.(setup)
  const sent = await eventsOf(run)
  const result = await run.result
  expect(await storedEvents(store, runId)).toEqual(sent)
  expect(sent.map(({ seq }) => seq)).toEqual(sent.map((_event, index) => index + 1))
  expect(await store.snapshot(runId)).toMatchObject({ closed: true, outcome: result.outcome })
  return result
}

describe('what is stored of an adapted run is what was sent', () => {
  const cases: readonly [string, SetupOptions, Partial<RunResult>][] = [
    ['with the flag off', { adapt: { flags: off } }, { outcome: 'completed', text: 'The old way.' }],
    ['with the flag on', {}, { outcome: 'completed', text: 'All of it is done now.' }],
    ['when the stream is refused', { faults: refused }, { outcome: 'completed', text: 'The old way.' }],
    ['through a handover by history', { faults: secondTurnBreaks }, { outcome: 'completed', text: 'The old way.' }],
    [
      'through a restart',
      {
        faults: secondTurnBreaks,
        adapt: { handover: 'restart', scope: new AsyncLocalStorage<LegacyScope>() },
      },
      { outcome: 'completed' },
    ],
    [
      'when the legacy loop throws',
      { adapt: { flags: off }, legacy: () => Promise.reject(new Error('broken')) },
      { outcome: 'failed' },
    ],
    ['when both throw', { faults: refused, legacy: () => Promise.reject(new Error('broken')) }, { outcome: 'failed' }],
  ]

  it.each(cases)('%s', async (_name, options, expected) => {
    expect(await expectStoredAsSent(options)).toMatchObject(expected)
  })

  it('when each stream is cut at every event, once or for ever', async () => {
    const cuts = Array.from({ length: 9 }, (_each, index) => index + 1)
    for (const event of cuts) {
      for (const times of [1, 'forever'] as const) {
        const faults: FaultPlan = [{ kind: 'destroy', at: { event }, times }]
        const result = await expectStoredAsSent({ faults, agent: { recovery: { backoff: 0, bufferedRetries: 0 } } })
        expect(result.outcome, `cut at event ${event}, ${times}`).toBe('completed')
      }
    }
  })

  it('when it is interrupted at every event, of the agent and of the legacy loop', async () => {
    for (const flags of [undefined, off]) {
      const { store, clock } = createWorld()
      const whole = await process(store, clock, flags && { adapt: { flags } })
      const count = (await eventsOf(whole.loop.run('Charge me'))).length
      for (let seq = 1; seq < count; seq++) {
        const world = createWorld()
        const setup = await process(world.store, world.clock, {
          adapt: {
            ...(flags && { flags }),
            onEvent: (event) => {
              if (event.seq === seq) run.interrupt()
            },
          },
        })
        const run = setup.loop.run('Charge me')
        const sent = await eventsOf(run)
        expect(await storedEvents(world.store, runId), `interrupted at event ${seq}`).toEqual(sent)
      }
    }
  })
})

it('answers from the legacy loop, unrecorded, if the agent refuses the input', async () => {
  const { store, clock } = createWorld()
  const { loop, warnings } = await process(store, clock, { input: { messages: [] } })
  expect(await loop('Charge me')).toBe(legacyAnswer)
  expect(await store.snapshot(runId)).toBeUndefined()
  expect(warnings).toMatchObject([{ code: 'invalid_messages' }])
})

it.each([
  ['off', off],
  ['on', undefined],
])('answers from the legacy loop if the store refuses the run, with the flag %s', async (_state, flags) => {
  const { store, clock } = createWorld()
  const away: RunStore = { ...store, create: () => Promise.reject(new Error('away')) }
  const { loop, warnings, claude } = await process(away, clock, flags && { adapt: { flags } })
  expect(await loop('Charge me')).toBe(legacyAnswer)
  expect(claude.requests).toEqual([])
  expect(warnings).toMatchObject([{ code: 'store_unavailable', cause: { message: 'away' } }])
})

it('does not call the legacy loop if its start cannot be stored', async () => {
  const { store, clock } = createWorld()
  const away: RunStore = { ...store, append: () => Promise.reject(new Error('away')) }
  const { loop, legacyCalls } = await process(away, clock, { adapt: { flags: off } })
  await expect(loop('Charge me')).rejects.toMatchObject({ code: 'store_unavailable' })
  expect(legacyCalls).toEqual([])
})

it('keeps the conversation that the legacy loop answered', async () => {
  const result = await expectStoredAsSent({ adapt: { flags: off } })
  expect(result.messages).toEqual([{ role: 'user', content: 'Charge me' }, ...legacyAnswer.messages])
  expect(result.newMessages).toEqual(legacyAnswer.messages)
})

it('reports the tokens that fromLegacy gives', async () => {
  const usage = { input_tokens: 7, output_tokens: 9 }
  const handover = {
    toArgs: (): [string] => ['Go on.'],
    fromLegacy: () => ({ ...legacyAnswer, usage }),
  }
  const alone = await expectStoredAsSent({ adapt: { flags: off, handover } })
  expect(alone.usage).toEqual(usage)
  const after = await expectStoredAsSent({ faults: secondTurnBreaks, adapt: { handover } })
  expect(after.usage.output_tokens).toBeGreaterThan(usage.output_tokens)
})

describe('a process that dies at each event of a run that is handed over', () => {
  /** Runs until event `lastSeq` is stored, then takes the run over in another process. */
  async function dieAt(lastSeq: number, options: SetupOptions): Promise<{ setups: Setup[]; events: AgentEvent[] }> {
    const { store, clock } = createWorld()
    const dying = dyingStore(store, lastSeq)
    const first = await process(dying, clock, options)
    const run = first.loop.toAgent().run({ messages: question, runId })
    await Promise.race([run.result, dying.died])
    clock.advance(30_000)
    const second = await process(store, clock, options)
    const taken = await second.loop.toAgent().resume?.(runId)
    const result = taken?.status === 'resumed' ? await taken.run.result : await run.result
    expect(validateMessages([...result.messages, { role: 'user', content: 'Next.' }])).toBeUndefined()
    return { setups: [first, second], events: [...(await storedEvents(store, runId))] }
  }

  const served: SetupOptions = {
    faults: secondTurnBreaks,
    adapt: { fromInput: ({ messages }) => [JSON.stringify(messages)] },
  }

  it('ends it once, calls no tool and no legacy loop twice, and says so if nobody knows', async () => {
    const whole = await dieAt(1_000, served)
    const count = whole.events.length
    expect(only(whole.events, 'run.finished')).toMatchObject([{ outcome: 'completed' }])
    for (let lastSeq = 1; lastSeq < count; lastSeq++) {
      const { setups, events } = await dieAt(lastSeq, served)
      const at = `died after event ${lastSeq} of ${count}`
      const legacyStarted = events.findIndex((event) => event.type === 'turn.started' && event.mode === 'legacy') + 1
      const legacyCalls = setups.flatMap((setup) => setup.legacyCalls).length
      expect(legacyCalls, at).toBeLessThanOrEqual(1)
      expect(setups.flatMap(({ charges }) => charges).length, at).toBeLessThanOrEqual(1)
      const end = events.at(-1)
      expect(only(events, 'run.finished'), at).toHaveLength(1)
      const answered = events.some((event) => event.type === 'turn.finished' && event.mode === 'legacy')
      const diedInLegacy = legacyStarted > 0 && legacyStarted <= lastSeq
      const isUnknown = diedInLegacy && !answered
      expect(end?.type === 'run.finished' && end.error?.code === 'legacy_outcome_unknown', at).toBe(isUnknown)
    }
  })

  it('does not run the agent beside a legacy loop that had the run alone', async () => {
    const options: SetupOptions = { ...served, faults: [], adapt: { ...served.adapt, flags: off } }
    const { setups, events } = await dieAt(2, options)
    expect(setups.flatMap(({ claude }) => claude.requests)).toEqual([])
    expect(setups.flatMap(({ legacyCalls }) => legacyCalls)).toHaveLength(1)
    expect(events.at(-1)).toMatchObject({ outcome: 'failed', error: { code: 'legacy_outcome_unknown' } })
  })

  it('calls the legacy loop for a run that was decided but not begun', async () => {
    const options: SetupOptions = { ...served, faults: [], adapt: { ...served.adapt, flags: off } }
    const { setups, events } = await dieAt(1, options)
    expect(setups.flatMap(({ claude }) => claude.requests)).toEqual([])
    expect(setups.flatMap(({ legacyCalls }) => legacyCalls)).toHaveLength(1)
    expect(events.at(-1)).toMatchObject({ outcome: 'completed' })
  })
})
