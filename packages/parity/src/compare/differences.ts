import { isRecord } from '@millrace/core/kit'
import { isList, isSame, type JsonObject } from '../kit/json.ts'

/** One value that is not what was recorded. A side that has no value lacks the field. */
export interface ValueDifference {
  readonly path: string
  readonly expected?: unknown
  readonly actual?: unknown
}

/** How many differences of two values are returned. */
const limit = 50

/** Returns where two JSON values differ: the paths of the smallest parts that do. */
export function differences(expected: unknown, actual: unknown, path: string): ValueDifference[] {
  const found: ValueDifference[] = []
  compare(expected, actual, path, found)
  return found.slice(0, limit)
}

function compare(expected: unknown, actual: unknown, path: string, found: ValueDifference[]): void {
  if (found.length >= limit || isSame(expected, actual)) return
  if (isList(expected) && isList(actual)) compareLists(expected, actual, path, found)
  else if (isRecord(expected) && isRecord(actual)) compareRecords(expected, actual, path, found)
  else found.push({ path, expected, actual })
}

function compareRecords(expected: JsonObject, actual: JsonObject, path: string, found: ValueDifference[]): void {
  for (const key of new Set([...Object.keys(expected), ...Object.keys(actual)])) {
    const at = joinKey(path, key)
    if (!Object.hasOwn(actual, key)) found.push({ path: at, expected: expected[key] })
    else if (!Object.hasOwn(expected, key)) found.push({ path: at, actual: actual[key] })
    else compare(expected[key], actual[key], at, found)
  }
}

/** Adds the first difference of two lists. If their lengths differ, everything behind it has only moved. */
function compareLists(
  expected: readonly unknown[],
  actual: readonly unknown[],
  path: string,
  found: ValueDifference[],
): void {
  if (expected.length === actual.length) {
    for (const [index, item] of expected.entries()) compare(item, actual[index], `${path}[${index}]`, found)
    return
  }
  const index = expected.findIndex((item, at) => at >= actual.length || !isSame(item, actual[at]))
  const first = index === -1 ? expected.length : index
  const at = `${path}[${first}]`
  found.push({
    path: at,
    ...(first < expected.length && { expected: expected[first] }),
    ...(first < actual.length && { actual: actual[first] }),
  })
  // If only the last item is missing, that one difference says everything.
  if (first < Math.max(expected.length, actual.length) - 1) {
    found.push({ path: `${path}.length`, expected: expected.length, actual: actual.length })
  }
}

function joinKey(path: string, key: string): string {
  if (/^[A-Za-z_$][\w$]*$/.test(key)) return path === '' ? key : `${path}.${key}`
  return `${path}[${JSON.stringify(key)}]`
}
