import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { createOutput } from '../src/node/output.ts'
import { createTail } from '../src/tail.ts'

test('keeps the end of what was pushed, in any pieces', () => {
  fc.assert(
    fc.property(
      fc.array(fc.string({ unit: 'grapheme' }), { maxLength: 600 }),
      fc.nat(50),
      fc.nat(60),
      (pieces, max, wanted) => {
        const tail = createTail(max)
        for (const piece of pieces) tail.push(piece)
        const all = pieces.join('')
        for (const [text, size] of [
          [tail.text(), max],
          [tail.text(wanted), Math.min(max, wanted)],
        ] as const) {
          expect(all.endsWith(text)).toBe(true)
          expect(text).not.toMatch(/\p{Surrogate}/u)
          expect(text.length).toBeLessThanOrEqual(size)
          expect(text.length).toBeGreaterThanOrEqual(Math.min(all.length, size) - 1)
        }
        expect(tail.truncated).toBe(all.length > max)
      },
    ),
  )
})

const lines = fc.array(fc.string({ unit: fc.constantFrom('a', 'é', '😀', ' ', '\t'), minLength: 1, maxLength: 6 }), {
  maxLength: 20,
})

test('finds whole lines, however their bytes are cut', () => {
  fc.assert(
    fc.property(
      lines,
      fc.constantFrom('\n', '\r\n', '\r'),
      fc.boolean(),
      fc.integer({ min: 1, max: 5 }),
      (given, end, closed, size) => {
        const seen: string[] = []
        const output = createOutput({
          progress: () => {},
          maxTail: 1000,
          liveTail: 0,
          parse: (line, from) => {
            if (from === 'stdout') seen.push(line)
            return undefined
          },
        })
        const text = given.join(end) + (closed && given.length > 0 ? end : '')
        const bytes = Buffer.from(text)
        for (let at = 0; at < bytes.length; at += size) {
          output.write(bytes.subarray(at, at + size), 'stdout')
          output.write(Buffer.from('!\n'), 'stderr')
        }
        output.end()
        expect(seen).toEqual(given)
      },
    ),
  )
})

test('parses a line without an end in pieces, and does not keep it', () => {
  const lengths: number[] = []
  const output = createOutput({
    progress: () => {},
    maxTail: 10,
    liveTail: 0,
    parse: (line) => {
      lengths.push(line.length)
      return undefined
    },
  })
  for (let piece = 0; piece < 100; piece += 1) output.write(Buffer.alloc(10_000, 'x'), 'stdout')
  output.end()
  expect(Math.max(...lengths)).toBeLessThanOrEqual(75_536)
  expect(lengths.reduce((a, b) => a + b, 0)).toBe(1_000_000)
})

test('ignores a line on which the parser throws', () => {
  const seen: unknown[] = []
  const output = createOutput({
    progress: (report) => seen.push(report),
    maxTail: 10,
    liveTail: 0,
    parse: (line) => {
      if (line === 'bad') throw new Error('parser')
      return { message: line }
    },
  })
  output.write(Buffer.from('a\nbad\nb\n'), 'stdout')
  expect(seen).toEqual([{ message: 'a' }, { message: 'b' }])
})

test('shows the last line as a person would see it', () => {
  const seen: unknown[] = []
  const output = createOutput({ progress: (report) => seen.push(report), maxTail: 100, liveTail: 8, parse: undefined })
  output.write(Buffer.from('building\n'), 'stdout')
  output.write(Buffer.from('\u001b[32m10 %\u001b[0m\r\u001b[32m20 %\u001b[0m\r'), 'stderr')
  expect(seen).toEqual([
    { message: 'building', data: { bytes: 9, tail: 'uilding\n' } },
    { message: '20 %', data: { bytes: 37, tail: expect.stringContaining('%') } },
  ])
})
