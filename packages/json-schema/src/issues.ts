import type { InputIssue } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import type { OutputUnit } from '@cfworker/json-schema'

/** The most issues that are reported for one input: a model corrects the first few, and the rest costs tokens. */
const maxIssues = 20

/** Keywords whose error only announces another error. */
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

/** Turns `#/items/2/a~1b` into `['items', 2, 'a/b']`. A part is a number only where `value` has an array. */
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

/** Turns the validator's errors into at most {@link maxIssues} issues: without wrappers and repetitions, each with its path. */
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
