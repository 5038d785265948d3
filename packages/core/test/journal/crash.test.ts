import { sized } from '@millrace/config/sized'
import { describe, expect, it } from 'vitest'
import { claudeFor, only } from '../support/scripted.ts'
import { scenarios } from './crash-scenarios.ts'
import { check, createWorld, lengthOf, live, runId, takeOver } from './crashes.ts'
import { storedEvents } from './stored-events.ts'

describe.each(Object.entries(scenarios))('a run %s', (_name, scenario) => {
  it('is taken over and ends as it should, wherever its process died', async () => {
    const claude = await claudeFor([])
    const length = await lengthOf(claude, scenario)
    for (let lastSeq = 0; lastSeq < length; lastSeq += sized({ quick: 3, long: 1 })) {
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
    const step = Math.ceil(length / sized({ quick: 4, long: 12 }))
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
