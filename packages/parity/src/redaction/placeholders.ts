import { checksum } from '@millrace/core'

/** How many values are told apart. Later ones all become `[redacted]`. */
const limit = 100_000

/** Gives every value a placeholder of its JSON type that says nothing about it. Equal values get the same one. */
export interface Placeholders {
  replace(value: string | number | boolean): string | number | boolean
}

/**
 * Creates placeholders that count up in the order of the values. Unlike a hash, a number cannot be guessed back. Blank
 * text stays as it is, since the API treats it differently, and a boolean becomes false.
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

/** Gives all values of a type one placeholder, so that redacted values are always equal. */
export const onePlaceholder: Placeholders = {
  replace(value) {
    if (typeof value === 'boolean') return false
    if (typeof value === 'number') return 0
    return value.trim() === '' ? value : '[redacted]'
  },
}

/**
 * Returns a short key for a value. Long values are not kept, since a recording may redact more text than fits into
 * memory.
 */
function keyOf(value: string | number): string {
  const text = `${typeof value}:${value}`
  return text.length <= 64 ? text : `${text.length}:${checksum(text)}:${checksum(`~${text}`)}`
}
