import { flagKeys, MillraceError } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import {
  changeFlag,
  type FlagChange,
  type FlagDefinition,
  FlagFormatError,
  type FlagIssue,
  formatIssues,
} from '@millrace/flags'
import { type FlagTextFormat, readFlagText } from '@millrace/flags/text'
import { type Document, isMap, isScalar, isSeq, type Node, parseDocument, type Scalar, visit, type YAMLMap } from 'yaml'

/** The text of a flag file after a change. */
export interface EditedText {
  readonly text: string
  /** Errors that were in the file before, about other flags. */
  readonly others: readonly FlagIssue[]
}

/**
 * Changes one flag in the text of a flag file. Comments and order of YAML are kept, and the indentation of JSON. Other flags may be
 * invalid, and stay as they are: a typo in one of them must not get in the way of the kill switch.
 *
 * @throws FlagFormatError if the file is unreadable, the flag is invalid, or the file would have an error it did not have
 * @throws MillraceError `invalid_input` if the flag cannot be changed this way
 */
export function editFlagText(text: string, format: FlagTextFormat, key: string, change: FlagChange): EditedText {
  const source = text.trim() === '' ? emptyText[format] : text
  const before = readFlagText(source, { format })
  if (before.status === 'refused') throw refusal('the file is invalid', before.issues)
  // The kill switch is written anew, because it counts as on while it is invalid, whatever it says.
  const isReplaced = before.invalid.has(key) && key === flagKeys.kill
  if (before.invalid.has(key) && !isReplaced) {
    throw refusal(`flag "${key}" is invalid: correct it before you change it`, before.issues.filter(isError))
  }
  const flag = changeFlag(before.document, key, change).flags[key]
  if (flag === undefined) throw new MillraceError('internal', `flag "${key}" was lost`)
  const edit = { key, flag, isReplaced }
  const edited = format === 'json' ? editJson(source, edit) : editYaml(source, edit)
  const after = readFlagText(edited, { format })
  const known = new Set(before.issues.map(describeIssue))
  const errors = after.issues.filter(isError)
  const added = errors.filter((issue) => !known.has(describeIssue(issue)))
  if (after.status === 'refused' || added.length > 0) throw refusal('the file would become invalid', added)
  return { text: edited, others: errors }
}

const emptyText: Readonly<Record<FlagTextFormat, string>> = { json: '{\n  "flags": {}\n}\n', yaml: 'flags: {}\n' }

interface Edit {
  readonly key: string
  readonly flag: FlagDefinition
  /** Whether nothing of the old definition stays. */
  readonly isReplaced: boolean
}

function refusal(what: string, issues: readonly FlagIssue[]): FlagFormatError {
  return new FlagFormatError(`${what}: ${formatIssues(issues)}`, issues)
}

function isError({ severity }: FlagIssue): boolean {
  return severity === 'error'
}

/** Without the line, which an edit further up moves. */
function describeIssue({ path, message }: FlagIssue): string {
  return `${path}: ${message}`
}

function editJson(text: string, edit: Edit): string {
  const bare = text.startsWith('\uFEFF') ? text.slice(1) : text
  const [, indent = '  '] = /\n([ \t]+)"/.exec(bare) ?? []
  const root: unknown = JSON.parse(bare)
  const edited = isRecord(root) ? { ...root, flags: placeFlag(root['flags'], edit) } : root
  return `${JSON.stringify(edited, null, indent)}\n`
}

/** Keys of the flag that Millrace does not know stay, as flagd allows them. */
function placeFlag(flags: unknown, { key, flag, isReplaced }: Edit): unknown {
  const merge = (before: unknown): unknown => ({ ...(isRecord(before) && !isReplaced ? before : {}), ...flag })
  if (!Array.isArray(flags)) {
    const before = isRecord(flags) ? flags : {}
    return { ...before, [key]: merge(Object.hasOwn(before, key) ? before[key] : undefined) }
  }
  const isIt = (member: unknown): boolean => isRecord(member) && member['key'] === key
  const others = flags.filter((member) => !isIt(member))
  if (isReplaced || others.length === flags.length) return [...others, { key, ...flag }]
  return flags.map((member: unknown) => (isIt(member) ? merge(member) : member))
}

function editYaml(text: string, { key, flag, isReplaced }: Edit): string {
  const document = parseDocument(text)
  const flags = document.get('flags')
  if (isSeq(flags)) {
    const isIt = (item: unknown): item is YAMLMap => isMap(item) && item.get('key') === key
    if (isReplaced) flags.items = flags.items.filter((item) => !isIt(item))
    const node = flags.items.find(isIt)
    if (node === undefined) flags.add(createNode(document, { key, ...flag }))
    else update(document, node, { ...flag })
  } else if (isMap(flags)) {
    // `flags: {}` is in flow style, which what is added to it should not inherit.
    if (flags.items.length === 0) flags.flow = false
    const node = flags.get(key)
    if (isMap(node) && !isReplaced) update(document, node, { ...flag })
    else flags.set(key, createNode(document, flag))
  }
  return document.toString({ lineWidth: 0 })
}

/** Sets only what differs, so that comments stay where they are. */
function update(document: Document, node: YAMLMap, wanted: Readonly<Record<string, unknown>>): void {
  for (const [name, value] of Object.entries(wanted)) {
    const before: unknown = node.get(name, true)
    if (JSON.stringify(before) === JSON.stringify(value)) continue
    if (isMap(before) && isRecord(value)) {
      const gone = before.items.map(({ key }) => String(key)).filter((key) => !Object.hasOwn(value, key))
      for (const key of gone) before.delete(key)
      update(document, before, value)
    } else if (isScalar(before) && !isRecord(value) && !Array.isArray(value)) {
      before.value = value
      quote(before)
    } else node.set(name, createNode(document, value))
  }
}

function createNode(document: Document, value: unknown): Node {
  const node = document.createNode(value)
  visit(node, { Scalar: (_, scalar) => quote(scalar) })
  return node
}

/** Quotes what YAML 1.1 takes for a boolean: flagd and the tools of Kubernetes would read a variant `on` as `true`. */
function quote(scalar: Scalar): void {
  if (typeof scalar.value === 'string' && /^(?:on|off|yes|no|y|n|true|false)$/i.test(scalar.value)) {
    scalar.type = 'QUOTE_DOUBLE'
  }
}
