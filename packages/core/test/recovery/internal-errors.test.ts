import { manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { createAgent, createCircuitBreaker, type RecoveryOptions, type Retraction } from '../../src/index.ts'
import { eventsOf, question, request } from '../support/scripted.ts'
import { manualModel, settled } from './manual-model.ts'
import { historyText, screenOf } from './screen.ts'

function broken(): never {
  throw new TypeError('a defect of the operator')
}

const budget = { request() {}, take: () => true, left: 10 }
const breaker = createCircuitBreaker({ clock: manualClock() })

/** Parts of the operator's that throw once text is shown. */
const brokenParts: Readonly<Record<string, RecoveryOptions>> = {
  'a budget that throws when it is taken from': { budget: { ...budget, take: broken } },
  'a budget that throws when it is asked what is left': {
    budget: {
      ...budget,
      get left() {
        return isShown ? broken() : 10
      },
    },
  },
  'a breaker whose permit throws': {
    breaker: { ...breaker, permit: () => ({ succeeded() {}, failed: broken, released() {} }) },
  },
}
let isShown = false

const retractions: readonly Retraction[] = ['retract', 'continue', 'fail', 'hold']

const cases = Object.keys(brokenParts)
  .flatMap((part) => retractions.map((retraction) => [part, retraction] as const))
  // With "fail" nothing is taken from a budget once text is shown.
  .filter(([part, retraction]) => retraction !== 'fail' || !part.includes('taken from'))

describe('an internal error after text was shown', () => {
  it.each(cases)('from %s leaves in history what stays shown, with retraction "%s"', async (part, retraction) => {
    isShown = false
    const model = manualModel()
    const recovery = brokenParts[part] ?? {}
    const agent = createAgent({ client: model.client, request, recovery, runtime: { clock: manualClock() } })
    const run = agent.run({ messages: question, mode: 'stream', retraction })
    const collected = eventsOf(run)
    const exchange = await model.exchange(0)
    exchange.begin('One two')
    await settled()
    isShown = true
    exchange.fail(new TypeError('terminated'))
    const result = await run.result
    const screen = screenOf(await collected)
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'internal' } })
    expect(screen.problems).toEqual([])
    expect(screen.text()).toBe(retraction === 'hold' ? '' : 'One two')
    expect(historyText(result.newMessages)).toBe(screen.text())
    expect(result.text).toBe(screen.text())
  })
})
