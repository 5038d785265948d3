import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  type ByteChunking,
  chunkBytes,
  type Chunking,
  chunkText,
  formatEvent,
  messageEvents,
  seededRandom,
} from '../src/stream.ts'

const anyChunking: fc.Arbitrary<Chunking> = fc.oneof(
  fc.constantFrom('words' as const, 'whole' as const),
  fc.record({ sizes: fc.array(fc.integer({ min: 1, max: 5 }), { minLength: 1, maxLength: 3 }) }),
  fc.record({ seed: fc.nat() }),
)
const anyByteChunking: fc.Arbitrary<ByteChunking> = fc.oneof(
  fc.constantFrom('whole' as const, 'events' as const, 'bytes' as const),
  fc.record({ seed: fc.nat() }),
)

describe('chunkText', () => {
  test('cuts any text into pieces that are the text, and none inside a code point', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), anyChunking, (text, chunking) => {
        const pieces = [...chunkText(text, chunking)]
        expect(pieces.join('')).toBe(text)
        expect(pieces.every((piece) => piece.isWellFormed() && piece !== '')).toBe(true)
      }),
    )
  })
})

describe('chunkBytes', () => {
  const message = {
    content: [{ type: 'text', text: ' 👩🏽‍🚀 rows' }],
    stop_reason: 'end_turn',
    usage: { output_tokens: 2 },
  }
  const sse = [...messageEvents(message, 'words')].map(formatEvent).join('')

  test('cuts a stream into chunks that are its bytes', () => {
    fc.assert(
      fc.property(anyByteChunking, (chunking) => {
        expect(Buffer.concat([...chunkBytes(sse, chunking)]).toString()).toBe(sse)
      }),
    )
  })

  test('cuts at every byte, or behind every event', () => {
    expect([...chunkBytes(sse, 'bytes')].every(({ length }) => length === 1)).toBe(true)
    const events = [...chunkBytes(sse, 'events')].map((chunk) => new TextDecoder().decode(chunk))
    expect(events).toEqual([...messageEvents(message, 'words')].map(formatEvent))
  })

  test('cuts into a bounded number of chunks', () => {
    expect([...chunkBytes('x'.repeat(600_000), 'bytes')]).toHaveLength(200_000)
  })
})

describe('messageEvents', () => {
  test('says nothing of a field that the message lacks', () => {
    const events = [...messageEvents({ content: [], stop_reason: 'end_turn', usage: { output_tokens: 7 } }, 'words')]
    expect(events).toEqual([
      { type: 'message_start', message: { stop_reason: null, content: [], usage: { output_tokens: 1 } } },
      { type: 'ping' },
      { type: 'message_delta', delta: { stop_reason: 'end_turn' }, usage: { output_tokens: 7 } },
      { type: 'message_stop' },
    ])
  })
})

test('seededRandom returns the same numbers for the same seed, in [0, 1)', () => {
  const take = (seed: number): number[] => Array.from({ length: 50 }, seededRandom(seed))
  expect(take(7)).toEqual(take(7))
  expect(take(7)).not.toEqual(take(8))
  expect(take(7).every((number) => number >= 0 && number < 1)).toBe(true)
})
