import * as fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { matchRepetition, withoutRepetition } from '../../src/recovery/repetition.ts'

const said = 'The refund was sen'

describe('a text that begins by repeating what was said', () => {
  it.each([
    ['all of it', said, 'The refund was sent on Friday.', 't on Friday.'],
    ['all of it and nothing else', said, said, ''],
    ['white space and all of it', said, '\n\nThe refund was sent.', 't.'],
    ['all of it, which begins with white space', `\n${said}`, 'The refund was sent.', 't.'],
    ['one whole word', 'The', 'The refund', ' refund'],
    ['one whole word, with white space', 'I ', 'I look', 'look'],
    ['one word and nothing else', 'Yes', 'Yes', ''],
    ['one word of six different letters', 'Certai', 'Certainly', 'nly'],
    ['a word of a language without spaces', '退款已于周五', '退款已于周五寄出', '寄出'],
    ['several lines', '# A\n\nOne two\n', '# A\n\nOne two\nthree', 'three'],
    ['its last words', said, 'was sent on Friday.', 't on Friday.'],
    ['its last word, which is long', 'It is a reimbur', 'reimbursement.', 'sement.'],
    ['itself in its last words', 'well, well then well, well th', 'well, well then', 'en'],
    ['more than an earlier end of it', 'one two one tw', 'one two one two three', 'o three'],
  ])('%s loses the repetition', (_what, before, text, rest) => {
    expect(withoutRepetition(before, text)).toBe(rest)
  })

  it.each([
    ['nothing', '', 'The refund'],
    ['blank text', ' \n', ' \nThe refund'],
    ['not at all', said, 't on Friday.'],
    ['in other words', said, 'The refund has been sent.'],
    ['and ends before it has said all', said, 'The refund'],
    ['in other letters', said, 'the refund was sent.'],
    ['one letter, which begins another word', 'l', 'lama'],
    ['the beginning of a longer word', 'Ha', 'Haha'],
    ['a digit', '1', '1 apples'],
    ['numbers', '10, 10, ', '10, 10, 10'],
    ['punctuation', '*', '*bold**'],
    ['a line', '---\n', '---\n'],
    ['its last line', 'Happy birthday to you\nHappy birthday to you\n', 'Happy birthday to you\n'],
    ['its last words, behind white space', said, ' was sent'],
    ['its last word, which is short', 'It was sen', 'sent'],
    ['its last letters', 'It was a presen', 'entation'],
    ['its last word twice', 'ha ha', 'ha ha'.slice(3)],
  ])('%s is left as it is', (_what, before, text) => {
    expect(withoutRepetition(before, text)).toBe(text)
  })
})

describe('text that arrives in pieces', () => {
  it('is held back only as long as it may be the repetition', () => {
    const match = matchRepetition(said)
    expect(match.take('The refund')).toBeUndefined()
    expect(match.take(' has')).toBe(0)
    expect(matchRepetition(said).take('I')).toBe(0)
    expect(matchRepetition(said).take('was sent')).toBe(7)
    expect(matchRepetition('Ha').take('Ha')).toBeUndefined()
  })

  it('gives the same, however it is cut', () => {
    const words = fc.array(fc.constantFrom('one', 'two', 'on', ' ', ' ', '\n', 'o', 'ne', '1', '.'), { maxLength: 9 })
    const text = words.map((parts) => parts.join(''))
    const cuts = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 6 })
    fc.assert(
      fc.property(text, text, fc.boolean(), cuts, (before, after, startsOver, sizes) => {
        const whole = startsOver ? before + after : after
        const match = matchRepetition(before)
        let count: number | undefined
        let position = 0
        for (let turn = 0; position < whole.length && count === undefined; turn++) {
          const piece = whole.slice(position, position + (sizes[turn % sizes.length] ?? 1))
          position += piece.length
          count = match.take(piece)
        }
        expect(whole.slice(count ?? match.end())).toBe(withoutRepetition(before, whole))
      }),
      { numRuns: 2_000, seed: 12 },
    )
  })
})
