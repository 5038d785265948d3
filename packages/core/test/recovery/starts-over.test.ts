import { validateMessages } from '@millrace/testing'
import { manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { createAgent } from '../../src/index.ts'
import { eventsOf, only, question, request } from '../support/scripted.ts'
import { type Exchange, manualModel, settled } from './manual-model.ts'
import { historyText, screenOf } from './screen.ts'

const full = 'The refund was sent on Friday and takes three days.'
const lost = (): TypeError => new TypeError('terminated')

interface Ran {
  readonly screen: string
  readonly text: string
  readonly history: string
  readonly pieces: readonly string[]
}

/** Answers the requests of a run whose text cannot be retracted with these attempts, one each. */
async function run(...attempts: readonly ((exchange: Exchange) => void | Promise<void>)[]): Promise<Ran> {
  let screen = ''
  const model = manualModel()
  const agent = createAgent({
    client: model.client,
    request,
    recovery: { backoff: 0 },
    runtime: { clock: manualClock() },
  })
  const started = agent.run({
    messages: question,
    mode: 'stream',
    callbacks: { onText: (piece) => void (screen += piece) },
  })
  const collected = eventsOf(started)
  for (const [index, attempt] of attempts.entries()) {
    await attempt(await model.exchange(index))
    await settled()
  }
  const result = await started.result
  const events = await collected
  expect(result.outcome).toBe('completed')
  expect(model.exchanges).toHaveLength(attempts.length)
  expect(screenOf(events).problems).toEqual([])
  expect(screenOf(events).text()).toBe(screen)
  expect(only(events, 'turn.retracted')).toEqual([])
  expect(validateMessages([...result.messages, { role: 'user', content: 'Next' }])).toBeUndefined()
  expect(result.messages.at(-1)?.role).toBe('assistant')
  const pieces = only(events, 'text.delta').map(({ text }) => text)
  return { screen, text: result.text, history: historyText(result.newMessages), pieces }
}

const breaks =
  (text: string) =>
  async (exchange: Exchange): Promise<void> => {
    exchange.begin(text)
    await settled()
    exchange.fail(lost())
  }

const says =
  (...pieces: readonly string[]) =>
  (exchange: Exchange): void => {
    const [first = '', ...rest] = pieces
    exchange.begin(first)
    for (const piece of rest) exchange.more(piece)
    exchange.finish()
  }

const words = [...full.matchAll(/\S+\s*/g)].map(([word]) => word)

const once = { screen: full, text: full, history: full }

describe('a continuation that begins the answer anew', () => {
  // From the first whole word on; a cut inside the first word may be meant, and is left as it is.
  it.each(Array.from({ length: full.length - 3 }, (_, index) => index + 3))(
    'is shown once, cut after %i characters',
    async (cut) => {
      expect(await run(breaks(full.slice(0, cut)), says(...words))).toMatchObject(once)
    },
  )

  it('is shown once if it breaks itself, in what it repeats and behind it', async () => {
    const again = (exchange: Exchange): void => exchange.answer([{ type: 'text', text: full }])
    for (const cut of [9, 18, 30])
      expect(await run(breaks(full.slice(0, 18)), breaks(full.slice(0, cut)), again)).toMatchObject(once)
  })

  it('is shown once across blocks', async () => {
    const blocks = (exchange: Exchange): void =>
      exchange.answer([
        { type: 'text', text: full.slice(0, 10) },
        { type: 'text', text: full.slice(10, 40) },
        { type: 'text', text: full.slice(40) },
      ])
    const twice = [breaks(full.slice(0, 18)), breaks(full.slice(18, 25))] as const
    expect(await run(...twice, blocks)).toMatchObject(once)
  })

  it('is shown once from its last words on', async () => {
    expect(await run(breaks('The refund was sen'), says('was sent on ', full.slice(23)))).toMatchObject(once)
  })

  it('leaves no prompt at the end of history if it says nothing more', async () => {
    expect(await run(breaks(full), says(full))).toMatchObject(once)
  })
})

describe('a continuation that goes on', () => {
  it('is not held back', async () => {
    const { pieces } = await run(breaks('The refund was'), says(' sent', ' on', ' Friday'))
    expect(pieces).toEqual(['The refund was', ' sent', ' on', ' Friday'])
  })

  it('is shown at once where it leaves the beginning that it seemed to repeat', async () => {
    const { pieces, history } = await run(breaks('The refund was sent'), says('The refund', ' is on its way'))
    expect(pieces).toEqual(['The refund was sent', 'The refund is on its way'])
    expect(history).toBe('The refund was sentThe refund is on its way')
  })

  it('may end inside the beginning that it seemed to repeat', async () => {
    expect(await run(breaks('The refund was sent'), says('The refund'))).toMatchObject({
      screen: 'The refund was sentThe refund',
      history: 'The refund was sentThe refund',
    })
  })
})

it('an interrupt in the pause before a continuation leaves no prompt in history', async () => {
  const model = manualModel()
  const agent = createAgent({ client: model.client, request, runtime: { clock: manualClock() } })
  const started = agent.run({ messages: question, mode: 'stream', retraction: 'continue' })
  await breaks('The refund')(await model.exchange(0))
  await settled()
  started.interrupt()
  const result = await started.result
  expect(result).toMatchObject({ outcome: 'interrupted', text: 'The refund' })
  expect(result.newMessages).toEqual([{ role: 'assistant', content: [{ type: 'text', text: 'The refund' }] }])
})
