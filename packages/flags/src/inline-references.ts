import { isRecord } from '@millrace/core/kit'
import type { JsonValue } from './document.ts'

/** A rule with its references replaced, or why that is not possible. */
export type Inlined =
  | { readonly status: 'inlined'; readonly rule: JsonValue }
  | { readonly status: 'error'; readonly message: string }

/**
 * Far more values than a written rule has. Evaluators that refer to each other twice double the rule at every level, so
 * thirty levels would exhaust memory.
 */
const maxValues = 100_000

/** Deeper rules are refused, so that no recursion over them can exhaust the stack. */
const maxDepth = 256

/**
 * Replaces each `{"$ref": name}` in `rule` by the evaluator of that name, and the references in that one.
 *
 * flagd replaces text instead. That depends on the order of the evaluators if they are nested, and damages a rule that
 * contains `$$`.
 */
export function inlineReferences(rule: JsonValue, evaluators: Readonly<Record<string, JsonValue>>): Inlined {
  let values = 0
  let problem: string | undefined
  const fail = (message: string): null => {
    problem ??= message
    return null
  }
  const inline = (value: JsonValue, depth: number, open: readonly string[]): JsonValue => {
    if (problem !== undefined) return null
    if (++values > maxValues || depth > maxDepth) return fail('is too large once its references are replaced')
    if (Array.isArray(value)) return value.map((member: JsonValue) => inline(member, depth + 1, open))
    if (!isRecord(value)) return value
    const name = nameIn(value)
    if (name === undefined) {
      const members = Object.entries(value)
      return Object.fromEntries(members.map(([operator, operand]) => [operator, inline(operand, depth + 1, open)]))
    }
    const evaluator = Object.hasOwn(evaluators, name) ? evaluators[name] : undefined
    if (evaluator === undefined) return fail(`refers to "${name}", but "$evaluators" has no valid rule of that name`)
    if (open.includes(name)) return fail(`refers to "${name}", which refers to itself`)
    return inline(evaluator, depth + 1, [...open, name])
  }
  const inlined = inline(rule, 0, [])
  return problem === undefined ? { status: 'inlined', rule: inlined } : { status: 'error', message: problem }
}

/** The name in `{"$ref": name}`. With another key beside it, flagd does not replace it. */
function nameIn(value: Readonly<Record<string, unknown>>): string | undefined {
  const name = value['$ref']
  return typeof name === 'string' && Object.keys(value).length === 1 ? name : undefined
}
