import { checksum } from '@millrace/core'

/** Values that are told apart; later ones all become `[redacted]`. */
const limit = 100_000

/** Gives every value a placeholder of its JSON type, the same for the same value, that says nothing about it. */
export interface Placeholders {
  replace(value: string | number | boolean): string | number | boolean
}

/**
 * Placeholders count up in the order in which values are met: unlike a hash, a number cannot be guessed back. Blank
 * text stays as it is, since the API treats it differently; a boolean becomes false.
 */
export function createPlaceholders(): Placeholders {
  const numbers = new Map<string, number>()

  function numberOf(value: string | number): number {
    const key = keyOf(value)
    const known = numbers.get(key)
    if (known !== undefined) return known
    if (numbers.size >= limit) return 0
    numbers.set(key, numbers.size + 1)
    return numbers.size
  }

  return {
    replace(value) {
      if (typeof value === 'boolean') return false
      if (typeof value === 'number') return numberOf(value)
      if (value.trim() === '' || /^\[redacted(?: \d+)?\]$/.test(value)) return value
      const number = numberOf(value)
      return number === 0 ? '[redacted]' : `[redacted ${number}]`
    },
  }
}

/** One placeholder for all values of a type: what was redacted is neither equal nor different. */
export const onePlaceholder: Placeholders = {
  replace(value) {
    if (typeof value === 'boolean') return false
    if (typeof value === 'number') return 0
    return value.trim() === '' ? value : '[redacted]'
  },
}

/** Tells values apart without holding on to them: a long recording may redact more text than memory holds. */
function keyOf(value: string | number): string {
  const text = `${typeof value}:${value}`
  return text.length <= 64 ? text : `${text.length}:${checksum(text)}:${checksum(`~${text}`)}`
}
