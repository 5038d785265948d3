import { flagKeys } from '@millrace/core'
import { isRecord, nearest } from '@millrace/core/kit'
import { type FlagDefinition, type FlagDocument, flagFormat } from './document.ts'
import { type At, IssueList } from './issue-list.ts'
import { type FlagIssue, hasErrors } from './issues.ts'
import { readFlag, readJson, readMetadata, type Segments } from './read-flag.ts'
import { readSegment } from './read-rollout.ts'

/** A document that was read, or everything that is wrong with it. */
export type ReadResult =
  | {
      readonly status: 'read'
      /** Every flag and segment that is valid. */
      readonly document: FlagDocument
      /** Errors are about the flags in `invalid` and about parts that were left out. */
      readonly issues: readonly FlagIssue[]
      /** The flags that are invalid, by key, as they were written. */
      readonly invalid: ReadonlyMap<string, unknown>
    }
  | { readonly status: 'refused'; readonly issues: readonly FlagIssue[] }

/** A document that was read. */
export type FlagReading = Extract<ReadResult, { status: 'read' }>

/**
 * Reads a flag document from the result of `JSON.parse`. Never throws, and reports everything that is wrong, not only the
 * first error. A flagd file is accepted as it is, with `flags` as an object or, as flagd also accepts, as a list.
 *
 * An invalid flag does not affect the others. The whole document is refused only if no flag of it can be used: it is not
 * an object, it was written for another version, or every flag is invalid.
 */
export function readFlagDocument(input: unknown): ReadResult {
  const list = new IssueList()
  const reading = readRoot(list, input)
  const { issues } = list
  if (reading === undefined) return { status: 'refused', issues }
  const isEmpty = Object.keys(reading.document.flags).length === 0
  return isEmpty && hasErrors(issues) ? { status: 'refused', issues } : { status: 'read', ...reading, issues }
}

function readRoot(list: IssueList, input: unknown): Pick<FlagReading, 'document' | 'invalid'> | undefined {
  const value = list.record([], input)
  if (value === undefined) return undefined
  list.keys([], value, ['$schema', '$format', 'flags', '$segments', '$evaluators', 'metadata'], 'warning')
  const format = value['$format']
  if (format !== undefined && format !== flagFormat) {
    return list.error(['$format'], `must be "${flagFormat}": this was written by another version`)
  }
  const segments = list.entries(['$segments'], value['$segments'], readSegment)
  const evaluators = list.entries(['$evaluators'], value['$evaluators'], readJson)
  const metadata = readMetadata(list, ['metadata'], value['metadata'])
  const { flags, invalid } = readFlags(list, value['flags'], namesOf(value['$segments'], segments))
  const document: FlagDocument = {
    ...(format !== undefined && { $format: format }),
    flags,
    ...(segments !== undefined && { $segments: segments }),
    ...(evaluators !== undefined && { $evaluators: evaluators }),
    ...(metadata !== undefined && { metadata }),
  }
  return { document, invalid }
}

function namesOf(input: unknown, segments: FlagDocument['$segments'] = {}): Segments {
  return new Map(
    isRecord(input)
      ? Object.keys(input).map((name) => [name, Object.hasOwn(segments, name) ? segments[name] : undefined])
      : [],
  )
}

function readFlags(
  list: IssueList,
  input: unknown,
  segments: Segments,
): { readonly flags: FlagDocument['flags']; readonly invalid: ReadonlyMap<string, unknown> } {
  const flags = new Map<string, FlagDefinition>()
  const invalid = new Map<string, unknown>()
  for (const { at, key, value } of readMembers(list, input)) {
    const flag = list.sound(() => {
      if (flags.has(key) || invalid.has(key)) list.error([...at, 'key'], 'is in the list twice')
      return readFlag(list, at, value, segments)
    })
    if (flag === undefined) {
      flags.delete(key)
      invalid.set(key, value)
    } else {
      flags.set(key, flag)
      checkKey(list, at, key, flag)
    }
  }
  return { flags: Object.fromEntries(flags), invalid }
}

interface Member {
  readonly at: At
  readonly key: string
  readonly value: unknown
}

function readMembers(list: IssueList, input: unknown): readonly Member[] {
  if (input === undefined) {
    list.error(['flags'], 'is missing: a flag document is an object with "flags"')
    return []
  }
  if (!Array.isArray(input)) {
    return Object.entries(list.record(['flags'], input) ?? {}).flatMap(([key, value]): Member[] => {
      if (key !== '') return [{ at: ['flags', key], key, value }]
      list.error(['flags'], 'must not have an empty key')
      return []
    })
  }
  return input.flatMap((value: unknown, index): Member[] => {
    const at = ['flags', index]
    const key = isRecord(value) ? list.text([...at, 'key'], value['key']) : list.error(at, 'must be an object')
    return key === undefined ? [] : [{ at, key, value }]
  })
}

/** Other flags may be in the file, but a misspelt flag of Millrace would silently leave streaming off. */
function checkKey(list: IssueList, at: At, key: string, { variants }: FlagDefinition): void {
  const { streaming, kill, tool } = flagKeys
  if (key === streaming || key === kill || (key.startsWith(tool('')) && key !== tool(''))) {
    if (Object.values(variants).some((value) => typeof value !== 'boolean')) {
      list.warn([...at, 'variants'], 'must be true and false for a flag of Millrace, which otherwise fails')
    }
  } else if (key.startsWith(streaming) || nearest(key, [streaming, kill]) !== undefined) {
    list.warn(at, `is not a flag of Millrace, which reads ${streaming}, ${kill} and ${tool('<name>')}`)
  }
}
