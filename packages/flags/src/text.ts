import { aCount, checkOptions, oneOf, type Rule } from '@millrace/core/kit'
import { parse as parseJson, type ValueNode } from '@humanwhocodes/momoa'
import { isAlias, isMap, isScalar, isSeq, LineCounter, type Node, parseDocument } from 'yaml'
import { flagIssue, type FlagIssue } from './issues.ts'
import { type ReadResult, readFlagDocument } from './read-document.ts'

export type FlagTextFormat = 'json' | 'yaml'

export interface ReadTextOptions {
  readonly format: FlagTextFormat
  /** The longest text that is read, in UTF-16 code units. Default: 1,048,576. */
  readonly maxLength?: number
}

const readTextRules: Readonly<Record<keyof ReadTextOptions, Rule>> = {
  format: oneOf('json', 'yaml'),
  maxLength: aCount(1),
}

/**
 * Reads a flag document from JSON or YAML. Never throws because of a text. Every issue has its place in the text. A key that
 * occurs twice in one object is refused, although both formats allow it.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function readFlagText(text: string, options: ReadTextOptions): ReadResult {
  checkOptions(options, '', readTextRules)
  readTextRules.format(options.format, 'format')
  const { format, maxLength = 1_048_576 } = options
  if (text.length > maxLength) {
    return refused(flagIssue('error', [], `is larger than ${maxLength} characters`))
  }
  // Some editors begin UTF-8 with a byte order mark, which JSON does not allow.
  const body = text.startsWith('\uFEFF') ? text.slice(1) : text
  try {
    return format === 'json' ? readJsonText(body) : readYamlText(body)
  } catch {
    // Both parsers recurse, so a text of many brackets exhausts the stack.
    return refused(flagIssue('error', [], `is not readable as ${format === 'json' ? 'JSON' : 'YAML'}`))
  }
}

type Place = { readonly line: number; readonly column: number } | undefined

function readJsonText(text: string): ReadResult {
  let root: ValueNode
  try {
    root = parseJson(text, { mode: 'json' }).body
  } catch (error) {
    return refused({
      ...flagIssue('error', [], 'is not valid JSON: something is missing or misplaced here'),
      ...placeOfError(error),
    })
  }
  const duplicate = findDuplicate(root, [])
  if (duplicate !== undefined) return refused(duplicate)
  const value: unknown = JSON.parse(text)
  return locate(readFlagDocument(value), (at) => findInJson(root, at))
}

function placeOfError(error: unknown): Place {
  if (typeof error !== 'object' || error === null || !('line' in error) || !('column' in error)) return undefined
  const { line, column } = error
  return typeof line === 'number' && typeof column === 'number' ? { line, column } : undefined
}

function findDuplicate(node: ValueNode, at: readonly (string | number)[]): FlagIssue | undefined {
  if (node.type === 'Array') {
    return first(node.elements.map((element, index) => () => findDuplicate(element.value, [...at, index])))
  }
  if (node.type !== 'Object') return undefined
  const seen = new Set<string>()
  return first(
    node.members.map((member) => () => {
      const key = member.name.type === 'String' ? member.name.value : member.name.name
      const place = [...at, key]
      if (seen.has(key)) return { ...flagIssue('error', place, 'occurs twice'), ...startOf(member.name.loc) }
      seen.add(key)
      return findDuplicate(member.value, place)
    }),
  )
}

function first<T>(attempts: readonly (() => T | undefined)[]): T | undefined {
  for (const attempt of attempts) {
    const result = attempt()
    if (result !== undefined) return result
  }
  return undefined
}

/** Returns the place of a path, or of the nearest parent of it that exists. */
function findInJson(root: ValueNode, at: readonly (string | number)[]): Place {
  let node = root
  let place = startOf(root.loc)
  for (const part of at) {
    if (node.type === 'Object') {
      const member = node.members.find(({ name }) => (name.type === 'String' ? name.value : name.name) === part)
      if (member === undefined) return place
      place = startOf(member.name.loc)
      node = member.value
    } else if (node.type === 'Array' && typeof part === 'number') {
      const element = node.elements[part]
      if (element === undefined) return place
      place = startOf(element.loc)
      node = element.value
    } else return place
  }
  return place
}

function startOf(location: { start: { line: number; column: number } }): { line: number; column: number } {
  return { line: location.start.line, column: location.start.column }
}

function readYamlText(text: string): ReadResult {
  const lines = new LineCounter()
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false, merge: false, logLevel: 'silent' })
  const placeAt = (offset: number | undefined): Place => {
    if (offset === undefined) return undefined
    const { line, col } = lines.linePos(offset)
    return { line, column: col }
  }
  if (document.errors.length > 0) {
    const issues = document.errors.map(({ code, pos }) => ({
      ...flagIssue('error', [], `is not valid YAML: ${code.toLowerCase().replaceAll('_', ' ')}`),
      ...placeAt(pos[0]),
    }))
    return { status: 'refused', issues }
  }
  // 100 aliases are more than anybody writes, and fewer than a "billion laughs" attack needs.
  const value: unknown = document.toJS({ maxAliasCount: 100 })
  return locate(readFlagDocument(value), (at) => placeAt(findInYaml(document.contents, at)))
}

function findInYaml(root: Node | null, at: readonly (string | number)[]): number | undefined {
  let node: unknown = root
  let offset = root?.range?.[0] ?? 0
  for (const part of at) {
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && String(key.value) === String(part))
      if (pair === undefined || !isScalar(pair.key)) return offset
      offset = pair.key.range?.[0] ?? offset
      node = pair.value
    } else if (isSeq(node) && typeof part === 'number') {
      const item: unknown = node.items[part]
      if (isScalar(item) || isMap(item) || isSeq(item) || isAlias(item)) offset = item.range?.[0] ?? offset
      node = item
    } else return offset
  }
  return offset
}

function locate(result: ReadResult, find: (at: readonly (string | number)[]) => Place): ReadResult {
  const issues = result.issues.map((issue) => ({ ...issue, ...find(issue.at) }))
  return { ...result, issues }
}

function refused(issue: FlagIssue): ReadResult {
  return { status: 'refused', issues: [issue] }
}
