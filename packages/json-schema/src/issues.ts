import type { InputIssue } from '@millrace/core'
import type { OutputUnit } from '@cfworker/json-schema'
import { isRecord } from './json-value.ts'

/** At most this many issues are given for one input: a model corrects the first few, and the rest is tokens. */
const maxIssues = 20

/** Keywords whose error only says that an error follows. */
const wrappers = new Set([
  '$recursiveRef',
  '$ref',
  'additionalItems',
  'additionalProperties',
  'allOf',
  'dependentSchemas',
  'items',
  'patternProperties',
  'prefixItems',
  'properties',
  'unevaluatedItems',
  'unevaluatedProperties',
])

function decode(part: string): string {
  return decodeURIComponent(part).replaceAll('~1', '/').replaceAll('~0', '~')
}

/** `#/items/2/a~1b` in `value` becomes `['items', 2, 'a/b']`: numbers only where there is an array. */
function pathOf(pointer: string, value: unknown): (string | number)[] {
  const path: (string | number)[] = []
  let at: unknown = value
  for (const part of pointer.split('/').slice(1)) {
    const key = decode(part)
    if (Array.isArray(at)) {
      path.push(Number(key))
      at = at[Number(key)]
    } else {
      path.push(key)
      at = isRecord(at) && Object.hasOwn(at, key) ? at[key] : undefined
    }
  }
  return path
}

/** The validator's errors as issues: the wrapping ones left out, a path for each, no issue twice, at most {@link maxIssues}. */
export function toIssues(errors: readonly OutputUnit[], value: unknown): InputIssue[] {
  const telling = errors.filter((error) => !wrappers.has(error.keyword))
  const seen = new Set<string>()
  const issues: InputIssue[] = []
  for (const { keyword, error, instanceLocation } of telling.length > 0 ? telling : errors) {
    const message = keyword === 'false' ? 'Is not allowed here.' : error
    const key = `${instanceLocation}\n${message}`
    if (seen.has(key)) continue
    seen.add(key)
    issues.push({ message, path: pathOf(instanceLocation, value) })
    if (issues.length === maxIssues) break
  }
  return issues.length > 0 ? issues : [{ message: 'Is not valid.' }]
}
