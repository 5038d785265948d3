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

describe('a stream', () => {
  it('gives the data of its events, and passes over names, comments, ids, retries and events without data', () => {
    expect(parseText(stream)).toEqual(frames)
  })

  it('loses one space after a colon and no more', () => {
    expect(parseText('data:  x\ndata: y \ndata:z\n\n')).toEqual([' x\ny \nz'])
  })

  it('gives no event that lacks its final blank line: it may be half of one', () => {
    expect(parseText('data: x\n\ndata: y\n')).toEqual(['x'])
    expect(parseText('data: x\n\ndata: y')).toEqual(['x'])
  })

  it('may begin with a byte order mark', () => {
    const marked = encoder.encode(`\uFEFF${stream}`)
    expect(marked[0]).toBe(0xef)
    expect(parse(marked)).toEqual(frames)
    expect(parse(...cut(marked, [1, 2, 3]))).toEqual(frames)
  })

  it('gives a ping for whatever stands under that name', () => {
    expect(parseText('event: ping\ndata: {}\n\nevent: ping\ndata:\n\nevent: x\ndata: {}\n\n')).toEqual([
      '{"type":"ping"}',
      '{"type":"ping"}',
      '{}',
    ])
  })
})

/** The inputs and expectations of the web platform tests `eventsource/format-*`, as far as they are about data. */
describe('as the HTML standard says', () => {
  it.each<[name: string, text: string, data: readonly string[]]>([
    ['format-bom', '\uFEFFdata:1\n\n\uFEFFdata:2\n\ndata:3\n\n', ['1', '3']],
    ['format-bom-2', '\uFEFF\uFEFFdata:1\n\ndata:2\n\ndata:3\n\n', ['2', '3']],
    [
      'format-comments',
      `data:1\r:\0\n:\r\ndata:2\n:${'x'.repeat(4_096)}\rdata:3\n:data:fail\r:x\ndata:4\n\n`,
      ['1\n2\n3\n4'],
    ],
    ['format-data-before-final-empty-line', 'retry:1000\ndata:test1\n\nid:test\ndata:test2', ['test1']],
    ['format-field-data', 'data:\n\ndata\ndata\n\ndata:test\n\n', ['', '\n', 'test']],
    ['format-field-event', 'event:test\ndata:x\n\ndata:x\n\n', ['x', 'x']],
    ['format-field-event-empty', 'event: \ndata:data\n\n', ['data']],
    ['format-field-id', 'id: 1\ndata:x\n\n', ['x']],
    ['format-field-id-null', 'id: \0\0\ndata:x\n\n', ['x']],
    [
      'format-field-parsing',
      'data:\0\ndata:  2\rData:1\ndata\0:2\ndata:1\r\0data:4\nda-ta:3\rdata_5\ndata:3\rdata:\r\n data:32\ndata:4\n\n',
      ['\0\n 2\n1\n3\n\n4'],
    ],
    ['format-field-retry-bogus', 'retry:3000\nretry:1000x\ndata:x\n\n', ['x']],
    ['format-field-retry-empty', 'retry\ndata:test\n\n', ['test']],
    ['format-field-unknown', 'data:test\n data\ndata\nfoobar:xxx\njustsometext\n:thisisacommentyay\n\n', ['test\n']],
    ['format-leading-space', 'data:\ttest\rdata: \ndata:test\n\n', ['\ttest\n\ntest']],
    ['format-newlines', 'data:test\r\ndata\ndata:test\r\n\r', ['test\n\ntest']],
    ['format-null-character', 'data:\0\n\n\n\n', ['\0']],
    ['format-utf-8', 'data:ok…\n\n', ['ok…']],
    ['a field of a gateway', 'x-trace: 1\ndata: x\n\n', ['x']],
    ['a page of HTML', '<!doctype html>\n<html>\n\n</html>\n\n', []],
    ['a line of JSON', '{"type":"error"}\n\n', []],
  ])('%s', (_name, text, data) => {
    const bytes = encoder.encode(text)
    expect(parse(bytes)).toEqual(data)
    expect(parse(...cut(bytes, [...bytes.keys()]))).toEqual(data)
  })
})

it('may end its lines in different ways, cut anywhere', () => {
  const bytes = encoder.encode('data: a\r\n\ndata: b\r\rdata: c\n\r\n')
  for (let place = 0; place <= bytes.length; place++) {
    for (let next = place; next <= bytes.length; next++)
      expect(parse(...cut(bytes, [place, next]))).toEqual(['a', 'b', 'c'])
  }
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

describe('what no event stream of the API holds', () => {
  const error = (run: () => unknown): unknown => {
    try {
      return run()
    } catch (thrown) {
      return thrown
    }
  }

  it.each([
    ['bytes that are not UTF-8', new Uint8Array([0x64, 0xff, 0x0a])],
    ['a UTF-8 sequence that breaks off', new Uint8Array([0xe2, 0x82, 0x0a])],
  ])('%s is refused, to be asked again', (_name, bytes) => {
    expect(error(() => parse(bytes))).toMatchObject({ code: 'garbage', retryable: true })
  })

  it('is refused after the events of the chunks before it were given', () => {
    const parser = createSseParser()
    expect([...parser.push(encoder.encode('data: x\n\n'))]).toEqual(['x'])
    expect(error(() => [...parser.push(new Uint8Array([0xff]))])).toMatchObject({ code: 'garbage' })
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
