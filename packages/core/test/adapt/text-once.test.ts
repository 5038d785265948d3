import { describe, expect, it } from 'vitest'
import type { RecoveryOptions } from '../../src/index.ts'
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
