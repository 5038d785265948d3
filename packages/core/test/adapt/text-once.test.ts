import { describe, expect, it } from 'vitest'
import type { Message, RecoveryOptions } from '../../src/index.ts'
import { noRetry, setUp, shown } from './set-up.ts'

function broken(): never {
  throw new TypeError('a defect of the operator')
}

const recovery: RecoveryOptions = { budget: { request() {}, take: broken, left: 10 } }

describe('after an internal error behind shown text', () => {
  it.each([
    ['continue', 'One two threeThe old way.'],
    ['retract', 'The old way.'],
  ] as const)('an adapted loop shows the text once, with %s', async (retraction, expected) => {
    let screen = ''
    const { loop, events, handed } = await setUp({
      turns: [{ content: [{ type: 'text', text: 'One two three four.' }] }],
      faults: [{ kind: 'destroy', at: { event: 6 }, times: 'forever' }],
      agent: { recovery: { ...noRetry, streamRetries: 1, extraRequests: 1, ...recovery } },
      input: { retraction, callbacks: { onText: (text) => void (screen += text) } },
    })
    expect((await loop('x')).text).toBe(shown(events))
    expect(shown(events)).toBe(expected)
    expect(handed.map(({ newMessages }) => newMessages)).toMatchObject(
      retraction === 'retract' ? [] : [[{ content: [{ text: 'One two three' }] }, { role: 'user' }]],
    )
  })
})

describe('a legacy loop that is asked to go on with a broken answer', () => {
  const whole = 'One two three four.'
  const answers: Readonly<Record<string, readonly Message[]>> = {
    'one text': [{ role: 'assistant', content: whole }],
    'several blocks': [
      {
        role: 'assistant',
        content: [
          { type: 'text', text: 'One two ' },
          { type: 'text', text: 'three four.' },
        ],
      },
    ],
    'a text and no messages': [],
  }

  it.each(Object.entries(answers))('and begins it anew, with %s, is shown once', async (_what, messages) => {
    let screen = ''
    const { loop, events } = await setUp({
      turns: [{ content: [{ type: 'text', text: whole }] }],
      faults: [{ kind: 'destroy', at: { event: 6 }, times: 'forever' }],
      input: { retraction: 'continue', callbacks: { onText: (text) => void (screen += text) } },
      legacy: () => Promise.resolve({ text: whole, messages }),
    })
    const answer = await loop('x')
    expect(answer.text).toBe(whole)
    expect(screen).toBe(whole)
    expect(shown(events)).toBe(whole)
    // A legacy loop that tells of no messages leaves none.
    const said = answerTextOf(answer.messages)
    expect(said).toBe(messages.length === 0 ? 'One two three' : whole)
  })

  it('is not asked if history does not hold what is shown', async () => {
    const { loop, legacyCalls } = await setUp({
      turns: [{ content: [{ type: 'text', text: whole }] }],
      faults: [{ kind: 'destroy', at: { event: 6 }, times: 'forever' }],
      input: { retraction: 'continue' },
      agent: {
        use: [{ name: 'forgets', run: async (_scope, next) => ({ ...(await next()), messages: [], newMessages: [] }) }],
      },
    })
    await expect(loop('x')).rejects.toMatchObject({ code: 'cannot_retract' })
    expect(legacyCalls).toEqual([])
  })
})

function answerTextOf(messages: readonly Message[]): string {
  return messages
    .filter(({ role }) => role === 'assistant')
    .flatMap(({ content }) =>
      typeof content === 'string' ? [content] : content.map((block) => ('text' in block ? block.text : '')),
    )
    .join('')
}
