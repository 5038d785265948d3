import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createSseParser } from '../../src/model/sse-parser.ts'

const encoder = new TextEncoder()

/** The frames of a stream that arrives in these pieces. */
function parse(...pieces: readonly Uint8Array[]): string[] {
  const parser = createSseParser()
  return pieces.flatMap((piece) => [...parser.push(piece)])
}

function parseText(...pieces: readonly string[]): string[] {
  return parse(...pieces.map((piece) => encoder.encode(piece)))
}

/** `bytes` cut at these places. */
function cut(bytes: Uint8Array, places: readonly number[]): Uint8Array[] {
  const ordered = [0, ...[...places].sort((a, b) => a - b), bytes.length]
  return ordered.slice(1).map((end, index) => bytes.subarray(ordered[index], end))
}

const stream =
  ': a comment\nevent: first\ndata: {"a":"é€😀"}\n\nid: 7\nretry: 100\ndata: one\ndata: two\n\ndata\n\n:\n\nevent: none\n\ndata:x\n\n'
const frames: readonly string[] = ['{"a":"é€😀"}', 'one\ntwo', '', 'x']

describe('what a stream holds', () => {
  it('is the data of its events; their names, comments, ids, retries and frames without data are passed over', () => {
    expect(parseText(stream)).toEqual(frames)
  })

  it('strips one space after the colon and no more', () => {
    expect(parseText('data:  x\ndata: y \ndata:z\n\n')).toEqual([' x\ny \nz'])
  })

  it('is not half a frame: one without its final blank line is never given', () => {
    expect(parseText('data: x\n\ndata: y\n')).toEqual(['x'])
    expect(parseText('data: x\n\ndata: y')).toEqual(['x'])
  })

  it('may begin with a byte order mark', () => {
    const marked = encoder.encode(`\uFEFF${stream}`)
    expect(marked[0]).toBe(0xef)
    expect(parse(marked)).toEqual(frames)
    expect(parse(...cut(marked, [1, 2, 3]))).toEqual(frames)
  })
})

describe.each([
  ['LF', '\n'],
  ['CRLF', '\r\n'],
  ['CR', '\r'],
])('lines that end with %s', (_name, ending) => {
  const bytes = encoder.encode(`${stream.replaceAll('\n', ending)}data: end${ending}${ending}${ending}`)
  const expected = [...frames, 'end']

  it('are the same frames, cut at any one byte', () => {
    for (let place = 0; place <= bytes.length; place++) {
      expect(parse(...cut(bytes, [place])), `cut at ${place}`).toEqual(expected)
    }
  })

  it('are the same frames, cut at any two bytes, empty pieces included', () => {
    for (let first = 0; first <= bytes.length; first++) {
      for (let second = first; second <= bytes.length; second++) {
        expect(parse(...cut(bytes, [first, second]))).toEqual(expected)
      }
    }
  })

  it('are the same frames, byte by byte', () => {
    expect(parse(...cut(bytes, [...bytes.keys()]))).toEqual(expected)
  })
})

it('gives any data, in any lines, cut anywhere', () => {
  const endings = fc.constantFrom('\n', '\r\n', '\r')
  const line = fc.string({ unit: 'binary', maxLength: 30 }).filter((text) => !/[\r\n]/.test(text))
  const frame = fc.record({ event: line, data: fc.array(line, { minLength: 1, maxLength: 3 }) })
  fc.assert(
    fc.property(
      fc.array(frame, { maxLength: 5 }),
      endings,
      fc.array(fc.nat(400), { maxLength: 20 }),
      (given, ending, places) => {
        const text = given
          .map(({ event, data }) => [`event: ${event}`, ...data.map((each) => `data: ${each}`), '', ''].join(ending))
          .join('')
        const bytes = encoder.encode(text)
        const parsed = parse(
          ...cut(
            bytes,
            places.filter((place) => place < bytes.length),
          ),
        )
        expect(parsed).toEqual(given.map(({ data }) => data.join('\n')))
      },
    ),
    { numRuns: 500 },
  )
})

describe('what no event stream holds', () => {
  const error = (run: () => unknown): unknown => {
    try {
      return run()
    } catch (thrown) {
      return thrown
    }
  }

  it.each([
    ['a line of HTML', encoder.encode('<html>\n')],
    ['a line of JSON', encoder.encode('{"type":"error"}\n')],
    ['an unknown field', encoder.encode('datum: x\n')],
    ['bytes that are not UTF-8', new Uint8Array([0x64, 0xff, 0x0a])],
    ['a UTF-8 sequence that breaks off', new Uint8Array([0xe2, 0x82, 0x0a])],
  ])('%s is refused, to be asked again', (_name, bytes) => {
    expect(error(() => parse(bytes))).toMatchObject({ code: 'garbage', retryable: true })
  })

  it('is refused after the frames before it were given, in the same chunk or not', () => {
    const bytes = encoder.encode('data: x\n\nnonsense\ndata: y\n\n')
    for (let place = 0; place <= bytes.length; place++) {
      const parser = createSseParser()
      const given: string[] = []
      const failed = error(() => {
        for (const piece of cut(bytes, [place])) for (const frame of parser.push(piece)) given.push(frame)
      })
      expect(failed).toMatchObject({ code: 'garbage' })
      expect(given).toEqual(['x'])
    }
  })

  it('a line without an end is refused at 64 MiB, by name, and one just short of that is taken', () => {
    const mebibyte = new Uint8Array(1024 * 1024).fill(0x61)
    const parser = createSseParser()
    expect([...parser.push(encoder.encode('data: '))]).toEqual([])
    for (let count = 0; count < 63; count++) expect([...parser.push(mebibyte)]).toEqual([])
    expect([...parser.push(encoder.encode('\n\n'))].map((data) => data.length)).toEqual([63 * 1024 * 1024])

    const overflow = error(() => {
      for (let count = 0; count < 65; count++) expect([...parser.push(mebibyte)]).toEqual([])
    })
    expect(overflow).toMatchObject({ code: 'buffer_overflow' })
  })

  it('a frame without an end is refused likewise, however short its lines', () => {
    const lines = encoder.encode(`data: ${'a'.repeat(1023)}\n`.repeat(1024))
    const parser = createSseParser()
    for (let count = 0; count < 63; count++) expect([...parser.push(lines)]).toEqual([])
    expect([...parser.push(encoder.encode('\n'))]).toHaveLength(1)
    const overflow = error(() => {
      for (let count = 0; count < 65; count++) expect([...parser.push(lines)]).toEqual([])
    })
    expect(overflow).toMatchObject({ code: 'buffer_overflow' })
  })
})
