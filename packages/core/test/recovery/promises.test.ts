import { sized } from '@millrace/config/sized'
import { type ScriptedClaude, startClaude } from '@millrace/testing'
import { manualClock } from '@millrace/testing/async'
import * as fc from 'fast-check'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type AgentEvent, type AgentRun, createAgent, isMillraceError, type ModelClient } from '../../src/index.ts'
import { clientOf, only } from '../support/scripted.ts'
import { anyCase, anyHarmlessCase, type Case } from './arbitrary-jobs.ts'
import { millrace, type Observation, observe, type Start } from './observe.ts'

let claude: ScriptedClaude
let client: ModelClient
beforeAll(async () => {
  claude = await startClaude({ script: [] })
  client = clientOf(claude)
})
afterAll(() => claude.close())

/** A promise, as what is checked of one run. */
type Promised = (observed: Observation, given: Case) => void

function holdsFor(promised: Promised, start: Start = millrace): fc.IAsyncProperty<[Case]> {
  return fc.asyncProperty(anyCase, async (given) => promised(await observe(given, { claude, client, start }), given))
}

const many = { seed: 20_260_801, numRuns: sized({ quick: 40, long: 120 }) }

/** Whether a mutant is found out. */
async function isFound(promised: Promised, mutant: Start): Promise<boolean> {
  const { failed } = await fc.check(holdsFor(promised, mutant), { ...many, numRuns: 400, endOnFailure: true })
  return failed
}

/** Passes events on, changed; the result too. */
function mutate(
  change: (event: AgentEvent) => readonly AgentEvent[],
  changeResult: (result: Awaited<AgentRun['result']>) => Awaited<AgentRun['result']> = (result) => result,
): Start {
  return (options, input) => {
    const run = millrace(options, input)
    return {
      runId: run.runId,
      interrupt: (reason) => run.interrupt(reason),
      result: run.result.then(changeResult),
      async *[Symbol.asyncIterator]() {
        for await (const event of run) yield* change(event)
      },
    }
  }
}

/** The loop that most teams have: when the stream fails, all of it again without streaming. */
const rerunEverything: Start = (options, input) => {
  const once = { streamRetries: 0, bufferedRetries: 0, extraRequests: 0 }
  const first = createAgent({ ...options, recovery: once }).run({ ...input, mode: 'stream' })
  const whole = (async () => {
    const result = await first.result
    if (result.outcome !== 'failed') return { result, again: undefined }
    const again = createAgent(options).run({ ...input, mode: 'buffered' })
    return { result: await again.result, again }
  })()
  return {
    runId: first.runId,
    interrupt: (reason) => first.interrupt(reason),
    result: whole.then(({ result }) => result),
    async *[Symbol.asyncIterator]() {
      for await (const event of first) if (event.type !== 'run.finished') yield event
      const { again } = await whole
      if (again !== undefined) yield* again
    },
  }
}

const completes: Promised = ({ events, result }, { faults, job }) => {
  expect(result, 'the run ends').toBeDefined()
  if (result === undefined) return
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, index) => index + 1))
  expect(only(events, 'run.finished')).toEqual([events.at(-1)])
  expect(events.at(-1)).toMatchObject({ outcome: result.outcome, stopReason: result.stopReason })
  expect(result.outcome === 'failed').toBe(result.error !== undefined)
  if (result.error !== undefined) {
    expect(isMillraceError(result.error)).toBe(true)
    expect(events.at(-1)).toMatchObject({ error: { code: result.error.code, message: result.error.message } })
    expect(result.error.code).not.toBe('internal')
  }
  // Silence is no success: a run that completed has said what it had to say. (A model that is made to stop early has.)
  const isOdd = faults.some(({ kind }) => kind === 'stop-reason' || kind === 'duplicate-event')
  if (result.outcome === 'completed' && !isOdd) {
    expect(
      job.final.some((final) => result.text.endsWith(final)),
      `"${result.text}" is the answer`,
    ).toBe(true)
  }
}

const runsNoCallTwice: Promised = ({ events, effects, neverEnded, result }, { job }) => {
  for (const [n, count] of effects) expect(count, `executions of call ${n}`).toBe(1)
  const finished = only(events, 'tool.finished')
  for (const { toolUseId } of only(events, 'tool.started')) {
    expect(finished.filter((event) => event.toolUseId === toolUseId).length, `ends of ${toolUseId}`).toBe(1)
  }
  const isReadOnly = (name: string): boolean => job.tools[Number(name.replace('tool_', ''))]?.readOnly === true
  expect(unpinned(events, isReadOnly), 'started calls that were withdrawn').toEqual([])
  // Who can say whether a call of a tool that never ended took effect? Only `reconcile`.
  for (const n of neverEnded) {
    const { tool = 0 } = job.turns.flatMap(({ calls }) => calls).find((call) => call.n === n) ?? {}
    const end = finished.find(({ input, outcome }) => Reflect.get(Object(input), 'n') === n && outcome !== 'discarded')
    const { reconcile } = job.tools[tool] ?? {}
    if (reconcile === 'happened') expect(end).toMatchObject({ outcome: 'ok', result: 'it happened' })
    else if (reconcile === 'not happened') expect(['timeout', 'cancelled']).toContain(end?.outcome)
    else {
      expect(end).toMatchObject({
        outcome: 'unknown',
        result: expect.stringContaining('unknown whether it took effect'),
      })
      expect(JSON.stringify(result?.messages)).toContain('unknown whether it took effect')
    }
  }
}

const showsTheFinalText: Promised = ({ screen, shownByCallbacks, historyText }) => {
  expect(screen.problems).toEqual([])
  expect(screen.text()).toBe(historyText)
  if (shownByCallbacks !== undefined) expect(shownByCallbacks).toBe(historyText)
}

/** The calls with effects that began, and whose block was withdrawn after that. */
function unpinned(events: readonly AgentEvent[], readOnly: (name: string) => boolean): string[] {
  const places = new Map<string, { readonly turn: number; readonly block: number }>()
  const pinned = new Map<string, { readonly turn: number; readonly block: number }>()
  const withdrawn: string[] = []
  for (const event of events) {
    if (event.type === 'tool.input') places.set(event.toolUseId, event)
    if (event.type === 'tool.started' && !readOnly(event.name)) {
      const place = places.get(event.toolUseId)
      if (place === undefined) withdrawn.push(`${event.toolUseId} was not shown`)
      else pinned.set(event.toolUseId, place)
    }
    if (event.type !== 'turn.retracted') continue
    for (const [id, { turn, block }] of pinned) {
      if (turn === event.turn && block >= event.fromBlock) withdrawn.push(id)
    }
  }
  return withdrawn
}

const leavesAValidHistory: Promised = ({ nextRequest }) => {
  expect(nextRequest).toBeUndefined()
}

describe('whatever fails, whatever the tools are like, whenever it is interrupted', () => {
  it('P1: a run completes, or ends in one typed error, and says so once and last', async () => {
    await fc.assert(holdsFor(completes), many)
  })

  it('P2: no call with effects runs twice, and an unknown outcome is reported as one', async () => {
    await fc.assert(holdsFor(runsNoCallTwice), { ...many, seed: 2 })
  })

  it('P3: what is shown in the end is what history holds', async () => {
    await fc.assert(holdsFor(showsTheFinalText), { ...many, seed: 3 })
  })

  it('P4: the history is accepted as the start of a next request', async () => {
    await fc.assert(holdsFor(leavesAValidHistory), { ...many, seed: 4 })
  })
})

describe('P5: a stream with harmless faults', () => {
  const equal = (start: Start): fc.IAsyncProperty<[Pick<Case, 'job' | 'faults'>]> =>
    fc.asyncProperty(anyHarmlessCase, async (harmless) => {
      const given: Case = {
        ...harmless,
        interrupt: null,
        consumer: 'events',
        retraction: 'auto',
        eagerTools: false,
        mode: 'stream',
      }
      // It stands still: nothing here waits for time.
      const clock = manualClock()
      const streamed = await observe(given, { claude, client, start, clock })
      const buffered = await observe({ ...given, faults: [], mode: 'buffered' }, { claude, client, clock })
      const comparable = ({ result }: Observation): unknown => withoutIds({ ...result, runId: '', messages: [] })
      expect(comparable(streamed)).toEqual(comparable(buffered))
      expect(streamed.screen.text()).toBe(buffered.screen.text())
      expect(only(streamed.events, 'fallback')).toEqual([])
    })

  it('gives the history of one body', async () => {
    await fc.assert(equal(millrace), { ...many, seed: 5 })
  })

  it('is found out where it does not', async () => {
    const shorten = mutate(
      (event) => [event],
      (result) => ({ ...result, newMessages: result.newMessages.slice(0, -1) }),
    )
    expect((await fc.check(equal(shorten), { ...many, seed: 5 })).failed).toBe(true)
  })
})

/** The model's ids are fresh in each request. */
function withoutIds(value: unknown): unknown {
  return JSON.parse(JSON.stringify(value).replaceAll(/toolu_\w+/g, 'toolu'))
}

describe('a loop that breaks a promise is found out', () => {
  it('P1, by a second end', async () => {
    const endsTwice = mutate((event) => (event.type === 'run.finished' ? [event, event] : [event]))
    expect(await isFound(completes, endsTwice)).toBe(true)
  })

  it('P1, by an error that is none', async () => {
    const untyped = mutate(
      (event) => [event],
      ({ error, ...result }) => (error === undefined ? result : { ...result }),
    )
    expect(await isFound(completes, untyped)).toBe(true)
  })

  it('P2, by running everything again', async () => {
    expect(await isFound(runsNoCallTwice, rerunEverything)).toBe(true)
  })

  it('P2, by guessing that a call of unknown outcome failed', async () => {
    const guesses = mutate((event) =>
      event.type === 'tool.finished' && event.outcome === 'unknown' ? [{ ...event, outcome: 'error' }] : [event],
    )
    expect(await isFound(runsNoCallTwice, guesses)).toBe(true)
  })

  it('P2, by withdrawing a call that has begun', async () => {
    const withdraws = mutate((event) =>
      event.type === 'tool.finished'
        ? [event, { ...event, type: 'turn.retracted', attempt: 1, fromBlock: 0, fromOffset: 0, reason: 'internal' }]
        : [event],
    )
    expect(await isFound(runsNoCallTwice, withdraws)).toBe(true)
  })

  it('P3, by withdrawing nothing', async () => {
    expect(
      await isFound(
        showsTheFinalText,
        mutate((event) => (event.type === 'turn.retracted' ? [] : [event])),
      ),
    ).toBe(true)
  })

  it('P3, by losing one piece of text', async () => {
    let pieces = 0
    const loses = mutate((event) => (event.type === 'text.delta' && ++pieces % 50 === 0 ? [] : [event]))
    expect(await isFound(showsTheFinalText, loses)).toBe(true)
  })

  it('P4, by leaving the last calls unanswered', async () => {
    const unanswered = mutate(
      (event) => [event],
      (result) => ({
        ...result,
        messages: result.messages.filter(
          ({ role, content }, index) => index === 0 || role === 'assistant' || typeof content === 'string',
        ),
      }),
    )
    expect(await isFound(leavesAValidHistory, unanswered)).toBe(true)
  })
})
