import { MillraceError } from '@millrace/core'
import { changeFlag, type FlagChange, type FlagDefinition, FlagFormatError, formatIssue } from '@millrace/flags'
import { type FlagTextFormat, readFlagText } from '@millrace/flags/text'
import { type Document, isMap, isScalar, isSeq, type Node, parseDocument, type Scalar, visit, type YAMLMap } from 'yaml'

/**
 * Gives the text of a flag file with one flag changed. Comments and order of YAML are kept, and the indentation of JSON.
 *
 * @throws FlagFormatError where the file is invalid, or would be
 * @throws MillraceError `invalid_input` where the flag cannot be changed so
 */
export function editFlagText(text: string, format: FlagTextFormat, key: string, change: FlagChange): string {
  const source = text.trim() === '' ? emptyText[format] : text
  const { document } = readValid(source, format, 'the file is invalid')
  const flag = changeFlag(document, key, change).flags[key]
  if (flag === undefined) throw new MillraceError('internal', `flag ${key} was lost`)
  const edited = format === 'json' ? editJson(source, key, flag) : editYaml(source, key, flag)
  readValid(edited, format, 'the file would become invalid')
  return edited
}

const emptyText: Readonly<Record<FlagTextFormat, string>> = { json: '{\n  "flags": {}\n}\n', yaml: 'flags: {}\n' }

function readValid(
  text: string,
  format: FlagTextFormat,
  what: string,
): Extract<ReturnType<typeof readFlagText>, { status: 'read' }> {
  const read = readFlagText(text, { format })
  if (read.status === 'read') return read
  throw new FlagFormatError(`${what}: ${read.issues.map(formatIssue).join('; ')}`, read.issues)
}

function editJson(text: string, key: string, flag: FlagDefinition): string {
  const bare = text.startsWith('\uFEFF') ? text.slice(1) : text
  const [, indent = '  '] = /\n([ \t]+)"/.exec(bare) ?? []
  const root: unknown = JSON.parse(bare)
  const edited = isRecord(root) ? { ...root, flags: placeFlag(root['flags'], key, flag) } : root
  return `${JSON.stringify(edited, null, indent)}\n`
}

/** What the flag has beside what we know of stays, as flagd lets it have more. */
function placeFlag(flags: unknown, key: string, flag: FlagDefinition): unknown {
  if (!Array.isArray(flags)) {
    const before = isRecord(flags) ? flags : {}
    const own = Object.hasOwn(before, key) ? before[key] : undefined
    return { ...before, [key]: { ...(isRecord(own) ? own : {}), ...flag } }
  }
  const isIt = (member: unknown): boolean => isRecord(member) && member['key'] === key
  if (!flags.some(isIt)) return [...flags, { key, ...flag }]
  return flags.map((member: unknown) => (isRecord(member) && isIt(member) ? { ...member, ...flag } : member))
}

function editYaml(text: string, key: string, flag: FlagDefinition): string {
  const document = parseDocument(text)
  const flags = document.get('flags')
  if (isSeq(flags)) {
    const node = flags.items.find((item) => isMap(item) && item.get('key') === key)
    if (isMap(node)) update(document, node, { ...flag })
    else flags.add(createNode(document, { key, ...flag }))
  } else if (isMap(flags)) {
    // `flags: {}` is written in flow style; what is added to it should not be.
    if (flags.items.length === 0) flags.flow = false
    const node = flags.get(key)
    if (isMap(node)) update(document, node, { ...flag })
    else flags.set(key, createNode(document, flag))
  }
  return document.toString({ lineWidth: 0 })
}

/** Sets what differs alone, so that comments stay where they are. */
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

/** Quotes what YAML 1.1 takes for a boolean: flagd and Kubernetes' tools would read a variant `on` as `true`. */
function quote(scalar: Scalar): void {
  if (typeof scalar.value === 'string' && /^(?:on|off|yes|no|y|n|true|false)$/i.test(scalar.value)) {
    scalar.type = 'QUOTE_DOUBLE'
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
