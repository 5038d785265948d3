import type { JsonValue } from './document.ts'

/** Deeper values are refused, because recursion over them could exhaust the stack. */
const maxDepth = 64

/** Returns whether `value` is plain JSON, at most 64 levels deep. */
export function isJson(value: unknown, depth = 0): value is JsonValue {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return true
    case 'number':
      return Number.isFinite(value)
    case 'object': {
      if (value === null) return true
      if (depth >= maxDepth) return false
      return Object.values(value).every((member) => isJson(member, depth + 1))
    }
    default:
      return false
  }
}
