import type { AgentEvent } from '@millrace/core'
import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { ndjsonDecoder, ndjsonEncoder, sseDecoder, sseEncoder } from '../src/index.ts'
import { arbitraryEvents } from './arbitrary-events.ts'
import { asReceived, bytesOf, decodeAll, known } from './expected.ts'

/** Everything but LF that some reader takes for the end of a line or of a text. */
const lineBreakers = ['\r', '\u0000', '\u000b', '\u000c', '\u001c', '\u001d', '\u001e', '\u0085', '\u2028', '\u2029']

const formats = [
  { name: 'SSE', encoder: sseEncoder, decoder: sseDecoder, frames: (text: string) => text.split('\n\n').length - 1 },
  {
    name: 'NDJSON',
    encoder: ndjsonEncoder,
    decoder: ndjsonDecoder,
    frames: (text: string) => text.split('\n').length - 1,
  },
]

describe.each(formats)('$name', ({ encoder, decoder, frames }) => {
  it('gives back every event, whatever its fields hold', () => {
    fc.assert(
      fc.property(arbitraryEvents, fc.boolean(), (events, rawContent) => {
        const text = encoder({ rawContent }).encode(events)
        expect(decodeAll(text, decoder())).toEqual(asReceived(events, rawContent))
      }),
      { numRuns: 300 },
    )
  })

  it('keeps its framing, by every idea of a line', () => {
    fc.assert(
      fc.property(arbitraryEvents, (events) => {
        const text = encoder().encode(events)
        expect(frames(text)).toBe(events.length)
        expect(lineBreakers.filter((char) => text.includes(char))).toEqual([])
      }),
    )
  })

  it('reads the same whatever the bytes are split into', () => {
    fc.assert(
      fc.property(arbitraryEvents, fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (events, sizes) => {
        const bytes = bytesOf(encoder().open() + encoder().encode(events) + encoder().heartbeat())
        const reader = decoder()
        const received: AgentEvent[] = []
        for (let from = 0, index = 0; from < bytes.length; index++) {
          const size = sizes[index % sizes.length] ?? 1
          received.push(...known(reader.push(bytes.subarray(from, from + size))))
          from += size
        }
        expect(received).toEqual(asReceived(events))
      }),
    )
  })

  it('reads the same split at every byte', () => {
    const [events = []] = fc.sample(arbitraryEvents, { numRuns: 1, seed: 7 })
    const bytes = bytesOf(encoder().encode(events))
    for (let cut = 0; cut <= bytes.length; cut++) {
      const reader = decoder()
      const received = [bytes.subarray(0, cut), bytes.subarray(cut)].flatMap((part) => known(reader.push(part)))
      expect(received).toEqual(asReceived(events))
    }
  })

  it('gives whole events of a stream that is cut at any byte, and no others', () => {
    const [events = []] = fc.sample(arbitraryEvents, { numRuns: 1, seed: 8 })
    const bytes = bytesOf(encoder().encode(events))
    for (let cut = 0; cut <= bytes.length; cut++) {
      const received = known(decoder().push(bytes.subarray(0, cut)))
      expect(received).toEqual(asReceived(events).slice(0, received.length))
      expect(received.length).toBe(frames(new TextDecoder().decode(bytes.subarray(0, cut))))
    }
  })

  it('starts again at any event, as a connection of its own', () => {
    fc.assert(
      fc.property(arbitraryEvents, fc.nat({ max: 30 }), (events, from) => {
        const rest = events.slice(from)
        expect(decodeAll(encoder().encode(rest), decoder())).toEqual(asReceived(rest))
      }),
    )
  })

  it('writes the same, one batch or many', () => {
    fc.assert(
      fc.property(arbitraryEvents, (events) => {
        const single = encoder()
        expect(events.map((event) => single.encode([event])).join('')).toBe(encoder().encode(events))
      }),
    )
  })

  it('passes over heartbeats and whatever stands around the events', () => {
    const events = fc.sample(arbitraryEvents, { numRuns: 1, seed: 9 })[0] ?? []
    const writer = encoder()
    const text =
      writer.open() + events.map((event) => writer.heartbeat() + writer.encode([event])).join('') + writer.close()
    expect(decodeAll(text, decoder())).toEqual(asReceived(events))
  })
})

describe('SSE', () => {
  it('carries the cursor as id and tells how long to wait before reconnecting', () => {
    const decoder = sseDecoder()
    decoder.push(bytesOf(sseEncoder({ retryMs: 250.4 }).open()))
    expect(decoder.retryMs).toBe(250)
    expect(sseEncoder({ retryMs: -5 }).open()).toBe('retry: 0\n\n')
  })

  it('accepts CRLF and comments, as SSE does', () => {
    const text = ': hello\r\nid: 1\r\nevent: x\r\ndata: {"type":"hint",\r\ndata: "a":1}\r\n\r\n'
    expect(sseDecoder().push(bytesOf(text))).toEqual([
      { type: 'unknown', seq: 1, name: 'hint', fields: { type: 'hint', a: 1 } },
    ])
  })
})
