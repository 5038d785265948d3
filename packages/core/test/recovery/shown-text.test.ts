import { manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import {
  type AgentCallbacks,
  type AgentEvent,
  createAgent,
  type RecoveryOptions,
  type Retraction,
  type RunResult,
} from '../../src/index.ts'
import { recoveryDefaults } from '../../src/recovery/policy.ts'
import { eventsOf, only, question, request } from '../support/scripted.ts'
import { type Exchange, type ManualModel, manualModel, settled } from './manual-model.ts'
import { historyText, screenOf } from './screen.ts'

const lost = (): TypeError => new TypeError('terminated')

interface Shown {
  readonly events: readonly AgentEvent[]
  readonly result: RunResult
  readonly model: ManualModel
}

type Attempt = (exchange: Exchange) => void | Promise<void>

/** Answers the requests of a run with these attempts, one each. */
async function show(
  attempts: readonly Attempt[],
  options: { retraction?: Retraction; recovery?: RecoveryOptions; callbacks?: AgentCallbacks } = {},
): Promise<Shown> {
  const { recovery, ...input } = options
  const model = manualModel()
  const agent = createAgent({
    client: model.client,
    request,
    recovery: { backoff: 0, ...recovery },
    runtime: { clock: manualClock() },
  })
  const run = agent.run({ messages: question, mode: 'stream', ...input })
  const collected = eventsOf(run)
  for (const [index, attempt] of attempts.entries()) {
    await attempt(await model.exchange(index))
    await settled()
  }
  const result = await run.result
  const events = await collected
  expect(model.exchanges).toHaveLength(attempts.length)
  expect(screenOf(events).problems).toEqual([])
  expect(screenOf(events).text()).toBe(historyText(result.newMessages))
  return { events, result, model }
}

const says =
  (...pieces: readonly string[]): Attempt =>
  (exchange) => {
    const [first = '', ...rest] = pieces
    exchange.begin(first)
    for (const piece of rest) exchange.more(piece)
    exchange.finish()
  }

const breaksAfter =
  (...pieces: readonly string[]): Attempt =>
  async (exchange) => {
    const [first = '', ...rest] = pieces
    exchange.begin(first)
    for (const piece of rest) exchange.more(piece)
    // What was sent before is read before the connection breaks.
    await settled()
    exchange.fail(lost())
  }

const textsOf = (events: readonly AgentEvent[]): string[] => only(events, 'text.delta').map(({ text }) => text)

describe('the text of a new attempt', () => {
  it('that goes on from what is shown simply goes on', async () => {
    const { events } = await show([breaksAfter('Hello', ' th'), says('He', 'llo there, ', 'you')])
    expect(textsOf(events)).toEqual(['Hello', ' th', 'ere, ', 'you'])
    expect(only(events, 'turn.retracted')).toEqual([])
    expect(only(events, 'block.started')).toHaveLength(1)
  })

  it('that is what is shown is not sent again', async () => {
    const { events } = await show([breaksAfter('Hello'), says('Hel', 'lo')])
    expect(textsOf(events)).toEqual(['Hello'])
    expect(only(events, 'turn.retracted')).toEqual([])
  })

  it('that differs is held back up to there, and what was shown is withdrawn from there', async () => {
    const { events } = await show([breaksAfter('I look that up.'), says('I look ', 'it up.')])
    expect(only(events, 'turn.retracted')).toMatchObject([
      { turn: 1, attempt: 2, fromBlock: 0, fromOffset: 7, reason: 'connection_lost' },
    ])
    expect(textsOf(events)).toEqual(['I look that up.', 'it up.'])
  })

  it('that differs in the second half of a character withdraws it whole', async () => {
    const { events } = await show([breaksAfter('A 🙂 for you'), says('A 🙃 for you')])
    expect(only(events, 'turn.retracted')).toMatchObject([{ fromBlock: 0, fromOffset: 2 }])
    expect(textsOf(events)).toEqual(['A 🙂 for you', '🙃 for you'])
  })

  it('that is shorter withdraws the rest', async () => {
    const { events } = await show([breaksAfter('Hello there'), says('Hello')])
    expect(only(events, 'turn.retracted')).toMatchObject([{ fromBlock: 0, fromOffset: 5 }])
    expect(only(events, 'block.finished')).toMatchObject([{ length: 5 }])
  })

  it('may differ again, and again', async () => {
    const { events, result } = await show([
      breaksAfter('One two'),
      breaksAfter('One three'),
      (exchange) => exchange.answer([{ type: 'text', text: 'Two' }]),
    ])
    expect(only(events, 'turn.retracted').map(({ fromOffset }) => fromOffset)).toEqual([5, 0])
    expect(result.text).toBe('Two')
  })

  it('that broke while it only repeated withdraws nothing', async () => {
    const { events } = await show([
      breaksAfter('One two three'),
      breaksAfter('One'),
      (exchange) => exchange.answer([{ type: 'text', text: 'One two three four' }]),
    ])
    expect(only(events, 'turn.retracted')).toEqual([])
    expect(textsOf(events)).toEqual(['One two three', ' four'])
  })

  it('that comes as another kind of block withdraws all', async () => {
    const { events } = await show(
      [
        breaksAfter('Hello'),
        (exchange) =>
          exchange.answer([
            { type: 'redacted_thinking', data: 'x' },
            { type: 'text', text: 'Hello' },
          ]),
      ],
      { recovery: { streamRetries: 0 } },
    )
    expect(only(events, 'turn.retracted')).toMatchObject([{ fromBlock: 0, fromOffset: 0 }])
  })

  it('comes after thinking that differs: the turn is withdrawn, thinking as a whole', async () => {
    const thinks =
      (thinking: string): Attempt =>
      async (exchange) => {
        exchange.send({
          type: 'message_start',
          message: { id: 'm', type: 'message', role: 'assistant', content: [], usage: {} },
        })
        exchange.send({ type: 'content_block_start', index: 0, content_block: { type: 'thinking', thinking: '' } })
        exchange.send({ type: 'content_block_delta', index: 0, delta: { type: 'thinking_delta', thinking } })
        exchange.send({ type: 'content_block_delta', index: 0, delta: { type: 'signature_delta', signature: 's' } })
        exchange.send({ type: 'content_block_stop', index: 0 })
        exchange.send({ type: 'content_block_start', index: 1, content_block: { type: 'text', text: 'Hello' } })
        await settled()
      }
    const { events } = await show([
      async (exchange) => {
        await thinks('I think of this.')(exchange)
        exchange.fail(lost())
      },
      async (exchange) => {
        await thinks('I think of that.')(exchange)
        exchange.send({ type: 'content_block_stop', index: 1 })
        exchange.send({ type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: {} })
        exchange.end()
      },
    ])
    expect(only(events, 'turn.retracted')).toMatchObject([{ fromBlock: 0, fromOffset: 0 }])
    expect(only(events, 'thinking.delta').map(({ text }) => text)).toEqual(['I think of this.', 'I think of that.'])
  })
})

describe('a consumer that cannot retract', () => {
  it('keeps what it was shown, and the model goes on where it stopped', async () => {
    let shown = ''
    const { events, result, model } = await show([breaksAfter('Hello th'), says('ere, you')], {
      callbacks: { onText: (text) => void (shown += text) },
    })
    expect(shown).toBe('Hello there, you')
    expect(result).toMatchObject({ outcome: 'completed', text: 'Hello there, you', turns: 2 })
    expect(only(events, 'turn.retracted')).toEqual([])
    expect(only(events, 'fallback')).toMatchObject([{ from: 'stream', to: 'continue', stage: 'after_output' }])
    expect(model.exchanges[1]?.body.messages.slice(1)).toEqual([
      { role: 'assistant', content: [{ type: 'text', text: 'Hello th' }] },
      { role: 'user', content: [{ type: 'text', text: recoveryDefaults.continuePrompt }] },
    ])
  })

  it('is asked for in the words of the option', async () => {
    const { model } = await show([breaksAfter('Hello'), says(' you')], {
      retraction: 'continue',
      recovery: { continuePrompt: 'Weiter, bitte.' },
    })
    expect(model.exchanges[1]?.body.messages.at(-1)?.content).toEqual([{ type: 'text', text: 'Weiter, bitte.' }])
  })

  it('gets the rest in one body where the stream has broken twice, and no third stream', async () => {
    const { events, model } = await show(
      [breaksAfter('One'), breaksAfter(' two'), (exchange) => exchange.answer([{ type: 'text', text: ' three' }])],
      { retraction: 'continue' },
    )
    expect(model.exchanges.map(({ streams }) => streams)).toEqual([true, true, false])
    expect(textsOf(events)).toEqual(['One', ' two', ' three'])
  })

  it('is asked again from the start where nothing was shown yet', async () => {
    const { model } = await show([(exchange) => exchange.fail(lost()), says('Hello')], { retraction: 'continue' })
    expect(model.exchanges[1]?.body.messages).toEqual(question)
  })

  it('with "fail" ends in a typed error, which keeps the text', async () => {
    const { result, events } = await show([breaksAfter('Hello th')], { retraction: 'fail' })
    expect(result).toMatchObject({ outcome: 'failed', error: { code: 'cannot_retract' }, text: 'Hello th' })
    expect(only(events, 'turn.retracted')).toEqual([])
  })

  it('with "fail" is asked again where nothing was shown yet', async () => {
    const { result } = await show([(exchange) => exchange.fail(lost()), says('Hello')], { retraction: 'fail' })
    expect(result.outcome).toBe('completed')
  })

  it('with "hold" is shown a turn when it is whole', async () => {
    const { result, events } = await show(
      [
        breaksAfter('Hello th'),
        async (exchange) => {
          exchange.begin('Another ')
          await settled()
          exchange.more('text')
          exchange.finish()
        },
      ],
      { retraction: 'hold' },
    )
    expect(result.text).toBe('Another text')
    expect(textsOf(events)).toEqual(['Another text'])
    expect(only(events, 'turn.retracted')).toEqual([])
    expect(only(events, 'fallback')).toMatchObject([{ stage: 'before_output' }])
  })

  it('with "hold" shows nothing of a turn that fails', async () => {
    const recovery = { streamRetries: 0, bufferedRetries: 0, extraRequests: 0 }
    const { result, events } = await show([breaksAfter('Hello th')], { retraction: 'hold', recovery })
    expect(result).toMatchObject({ outcome: 'failed', newMessages: [] })
    expect(textsOf(events)).toEqual([])
  })
})

describe('callbacks that can retract', () => {
  it('are told what to take back', async () => {
    const calls: string[] = []
    await show([breaksAfter('I look that up.'), says('I look it up.')], {
      callbacks: {
        onText: (text) => calls.push(`+${text}`),
        onRetract: ({ turn, text }) => calls.push(`-${turn} ${text}`),
      },
    })
    expect(calls).toEqual(['+I look that up.', '-1 that up.', '+it up.'])
  })
})

describe('a refusal', () => {
  const refuses: Attempt = (exchange) => {
    exchange.begin('Well, let me')
    exchange.finish('refusal')
  }

  it('is withdrawn, and left out of history', async () => {
    const { events, result } = await show([refuses])
    expect(result).toMatchObject({ outcome: 'refused', stopReason: 'refusal', newMessages: [], text: '' })
    expect(only(events, 'turn.retracted')).toMatchObject([{ fromBlock: 0, fromOffset: 0, reason: 'refusal' }])
  })

  it('stays as far as it was shown where nothing can withdraw it', async () => {
    const { events, result } = await show([refuses], { retraction: 'continue' })
    expect(result).toMatchObject({ outcome: 'refused', text: 'Well, let me' })
    expect(only(events, 'turn.retracted')).toEqual([])
  })
})
