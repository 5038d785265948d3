import * as fc from 'fast-check'
import { PassThrough } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { columnsOf } from '../src/terminal/columns.ts'
import { liveScreen } from '../src/terminal/live-screen.ts'
import { printable, shorten } from '../src/terminal/look.ts'
import { drawProgress } from '../src/terminal/progress-bar.ts'
import { openScreen } from '../src/terminal/open-screen.ts'
import { plainOutput } from './plain-output.ts'
import { openTerminal } from './terminal.ts'

describe('which screen', () => {
  const terminal = openTerminal().output
  const pipe = new PassThrough()

  it.each([
    ['a terminal', terminal, {}, true],
    ['a terminal with NO_COLOR', terminal, { NO_COLOR: '1' }, false],
    ['a terminal with an empty NO_COLOR', terminal, { NO_COLOR: '' }, true],
    ['a dumb terminal', terminal, { TERM: 'dumb' }, false],
    ['a terminal without a size', Object.assign(openTerminal().output, { columns: 0 }), {}, false],
    ['a pipe', pipe, {}, false],
  ])('%s', (_, output, env, live) => {
    expect(openScreen(output, env).live).toBe(live)
  })
})

describe('plain screen', () => {
  it('writes text as it comes, and lines on their own', () => {
    const { screen, text } = plainOutput()
    screen.write('One ')
    screen.write('two', 'dim')
    screen.notice('[cut]')
    screen.write(' three')
    screen.line('end', 'good')
    screen.rest()
    expect(text()).toBe('One two\n[cut]\n three\nend\n')
  })

  it('says what is retracted, since it cannot remove it', () => {
    const { screen, text } = plainOutput()
    screen.write('One two three')
    screen.retract(' two three')
    screen.write(' four')
    screen.endText()
    expect(text()).toBe('One two three\n[retracted, 10 characters: "two three"]\n four\n')
  })

  it('writes progress once for each quarter', () => {
    const { screen, text } = plainOutput()
    for (let done = 0; done <= 100; done++)
      screen.progress('a', { label: 'count', done, total: 100, message: `n${done}` })
    screen.progress('a', undefined)
    expect(text()).toBe(
      ['25 % (25 of 100) n25', '50 % (50 of 100) n50', '75 % (75 of 100) n75', '100 % (100 of 100) n100']
        .map((line) => `  count ${line}\n`)
        .join(''),
    )
  })

  it('writes no progress without a total', () => {
    const { screen, text } = plainOutput()
    screen.progress('a', { label: 'count', message: 'one' })
    screen.progress('a', { label: 'count', done: 3, message: 'two' })
    expect(text()).toBe('')
  })
})

describe('live screen', () => {
  it('keeps one bar below the text, and removes it', async () => {
    const { output, lines } = openTerminal()
    const screen = liveScreen(output)
    screen.write('I count.')
    screen.endText()
    screen.progress('a', { label: 'count', done: 1, total: 4 })
    screen.progress('a', { label: 'count', done: 2, total: 4, leftMs: 1500 })
    screen.progress('b', { label: 'other', message: 'beside it' })
    expect(await lines()).toEqual([
      'I count.',
      `count ${'█'.repeat(12)}${'░'.repeat(12)} 50 % (2 of 4) 1.5 s left`,
      'other beside it',
    ])
    screen.line('a line')
    screen.progress('a', undefined)
    screen.progress('b', undefined)
    screen.rest()
    expect(await lines()).toEqual(['I count.', 'a line'])
  })

  it('removes what is retracted, and says so above', async () => {
    const { output, lines } = openTerminal()
    const screen = liveScreen(output)
    screen.write('One two three')
    screen.retract(' two three')
    screen.write(' four')
    screen.rest()
    expect(await lines()).toEqual(['[retracted, 10 characters: "two three"]', 'One four'])
  })

  it('shows exactly the text that was written, in any pieces, whatever bars come and go', async () => {
    const word = fc.string({ unit: fc.constantFrom('a', 'b', 'c'), minLength: 1, maxLength: 8 })
    const piece = fc.tuple(word, fc.constantFrom(' ', '\n', '\n\n'))
    await fc.assert(
      fc.asyncProperty(
        fc.array(piece, { minLength: 1, maxLength: 60 }),
        fc.integer({ min: 3, max: 30 }),
        async (pieces, rows) => {
          const { output, lines } = openTerminal({ columns: 4_000, rows })
          const screen = liveScreen(output)
          for (const [index, [word, end]] of pieces.entries()) {
            screen.write(word + end, index % 3 === 0 ? 'dim' : 'text')
            screen.progress('bar', index % 5 === 0 ? { label: 'x', done: index, total: 60 } : undefined)
          }
          screen.rest()
          const text = pieces.flat().join('')
          expect((await lines()).map((line) => line.trimEnd())).toEqual(
            text
              .trimEnd()
              .split('\n')
              .map((line) => line.trimEnd()),
          )
        },
      ),
      { numRuns: 60 },
    )
  })

  it('breaks long lines between words, in any pieces, at any width, while they scroll away', async () => {
    const words = fc.array(fc.stringMatching(/^[a-z]{1,12}$/), { minLength: 1, maxLength: 120 })
    await fc.assert(
      fc.asyncProperty(
        words,
        fc.integer({ min: 13, max: 40 }),
        fc.integer({ min: 1, max: 7 }),
        async (given, columns, size) => {
          const { output, lines } = openTerminal({ columns, rows: 10 })
          const screen = liveScreen(output)
          const text = given.join(' ')
          for (let from = 0; from < text.length; from += size) screen.write(text.slice(from, from + size))
          screen.rest()
          const shown = await lines()
          expect(shown.map((line) => line.trimEnd()).join(' ')).toBe(text)
          // Every line but the last is as full as words allow.
          for (const [index, line] of shown.slice(0, -1).entries()) {
            const next = shown[index + 1]?.split(' ')[0] ?? ''
            expect(`${line.trimEnd()} ${next}`.length).toBeGreaterThan(columns)
          }
        },
      ),
      { numRuns: 40 },
    )
  })

  it('keeps words whole where the text has tabs and composed characters', async () => {
    const { output, lines } = openTerminal({ columns: 20, rows: 6 })
    const screen = liveScreen(output)
    const text = `a\tb cafe\u0301 ${Array.from({ length: 40 }, (_, index) => `word${index}`).join(' ')}`
    for (const character of text) screen.write(character)
    screen.rest()
    const shown = await lines()
    expect(shown[0]).toBe('a       b caf\u00e9 word0')
    expect(shown.join(' ').split(/\s+/)).toEqual(text.normalize().split(/\s+/))
  })

  it('draws wide characters and long words within a terminal of any width', async () => {
    for (const columns of [2, 3, 5, 8, 19]) {
      const { output, lines } = openTerminal({ columns, rows: 8 })
      const screen = liveScreen(output)
      screen.progress('bar', { label: '進捗', done: 1, total: 2, message: '統計を数えています' })
      for (const character of '世界中のすべての人へ https://example.test/a') screen.write(character)
      screen.progress('bar', undefined)
      screen.rest()
      expect((await lines()).join('').replaceAll(' ', '')).toBe('世界中のすべての人へhttps://example.test/a')
    }
  })

  it.each([
    [40, 17],
    [40, 80],
    [80, 9],
  ])('leaves nothing behind when the terminal changes from %i to %i columns', async (before, after) => {
    const { output, lines, resize } = openTerminal({ columns: before, rows: 30 })
    const screen = liveScreen(output)
    const text = 'the quick brown fox jumps over the lazy dog and then it sleeps in the warm sun'
    screen.line('above')
    screen.write(text)
    screen.progress('bar', { label: 'counting', done: 1, total: 4, message: 'some/file.ts' })
    await resize(after)
    screen.write(' all day')
    screen.progress('bar', undefined)
    screen.rest()
    const shown = await lines()
    expect(shown.map((line) => line.trim()).join(' ')).toBe(`above ${text} all day`)
  })

  it('draws no more for the last piece of a long text than for the first ones', () => {
    const { output } = openTerminal()
    let written = 0
    const write = output.write.bind(output)
    output.write = (text: string | Uint8Array) => {
      written += text.length
      return write(text)
    }
    const screen = liveScreen(output)
    const costs = Array.from({ length: 1_000 }, () => {
      const before = written
      screen.write('some words of text ')
      return written - before
    })
    expect(Math.max(...costs.slice(500))).toBeLessThanOrEqual(Math.max(...costs.slice(0, 500)))
  })
})

const wideOrNot = fc.constantFrom('a', ' ', '界', '\u{1f600}', 'e\u0301')

describe('what is shown of foreign text', () => {
  it('has no control characters, and the same length', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (text) => {
        const shown = printable(text)
        expect(shown).toHaveLength(text.length)
        expect(/[^\P{Cc}\n\t]/u.test(shown)).toBe(false)
      }),
    )
    expect(printable('\u001b[2Jgone\r\n\u009b1m')).toBe('\ufffd[2Jgone \n\ufffd1m')
  })

  it('is cut at a character, never inside one', () => {
    expect(shorten('世界中のすべて', 6)).toBe('世界…')
    expect(shorten('\u{1f600}\u{1f600}\u{1f600}', 5)).toBe('\u{1f600}\u{1f600}…')
    expect([shorten('abc', 3), shorten('abcd', 3), shorten('abcd', 0)]).toEqual(['abc', 'ab…', ''])
  })

  it('draws a bar within the width, whatever it is', () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 1, max: 200 }),
        fc.string({ unit: wideOrNot }),
        fc.string({ unit: wideOrNot }),
        fc.nat(),
        fc.nat(),
        (width, label, message, done, total) => {
          expect(columnsOf(drawProgress({ label, message, done, total }, width))).toBeLessThanOrEqual(
            Math.max(1, width - 1),
          )
        },
      ),
    )
  })
})
