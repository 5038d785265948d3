import { flagKeys } from '@millrace/core'
import { flagFormat, type FlagDefinition, type FlagDocument, type FlagMetadata, type JsonValue } from './document.ts'
import { type At, IssueList, nameOf } from './issue-list.ts'
import { type FlagIssue, hasErrors } from './issues.ts'
import { isJson, isRecord } from './json.ts'
import { nearestOf } from './nearest.ts'
import { readRollout, readSegment } from './read-rollout.ts'

/** A document that was read, or all that is wrong with it. */
export type ReadResult =
  | { readonly status: 'read'; readonly document: FlagDocument; readonly issues: readonly FlagIssue[] }
  | { readonly status: 'refused'; readonly issues: readonly FlagIssue[] }

/**
 * Reads a flag document from what `JSON.parse` gave. Never throws, and reports everything that is wrong, not the first
 * thing only. A flagd file is accepted as it is, with `flags` as an object or, as flagd itself also takes it, as a list.
 */
export function readFlagDocument(input: unknown): ReadResult {
  const list = new IssueList()
  const document = readRoot(list, input)
  if (document === undefined || hasErrors(list.issues)) return { status: 'refused', issues: list.issues }
  return { status: 'read', document, issues: list.issues }
}

function readRoot(list: IssueList, input: unknown): FlagDocument | undefined {
  const value = list.record([], input)
  if (value === undefined) return undefined
  list.keys([], value, ['$schema', '$format', 'flags', '$segments', '$evaluators', 'metadata'], 'warning')
  const format = value['$format']
  if (format !== undefined && format !== flagFormat) {
    return list.error(['$format'], `must be "${flagFormat}": this was written by another version`)
  }
  const segments = readEntries(list, ['$segments'], value['$segments'], readSegment)
  const evaluators = readEntries(list, ['$evaluators'], value['$evaluators'], readJson)
  const metadata = readMetadata(list, ['metadata'], value['metadata'])
  const flags = readFlags(list, value['flags'], new Set(Object.keys(segments ?? {})))
  for (const [key, flag] of Object.entries(flags ?? {})) checkKey(list, ['flags', key], key, flag)
  return {
    ...(format !== undefined && { $format: format }),
    flags: flags ?? {},
    ...(segments !== undefined && { $segments: segments }),
    ...(evaluators !== undefined && { $evaluators: evaluators }),
    ...(metadata !== undefined && { metadata }),
  }
}

function readFlags(list: IssueList, input: unknown, segments: ReadonlySet<string>): FlagDocument['flags'] | undefined {
  if (!Array.isArray(input)) {
    if (input === undefined) return list.error(['flags'], 'is missing: a flag document is an object with "flags"')
    return readEntries(list, ['flags'], input, (_, at, flag) => readFlag(list, at, flag, segments))
  }
  const flags = new Map<string, FlagDefinition>()
  for (const [index, member] of input.entries()) {
    const at = ['flags', index]
    const key = isRecord(member) ? list.text([...at, 'key'], member['key']) : list.error(at, 'must be an object')
    if (key === undefined) continue
    if (flags.has(key)) list.error([...at, 'key'], 'stands in the list twice')
    const flag = readFlag(list, at, member, segments)
    if (flag !== undefined) flags.set(key, flag)
  }
  return Object.fromEntries(flags)
}

/** Other flags may stand in the file. But a misspelt one of ours would leave streaming off in silence. */
function checkKey(list: IssueList, at: At, key: string, { variants }: FlagDefinition): void {
  const { streaming, kill, tool } = flagKeys
  if (key === streaming || key === kill || (key.startsWith(tool('')) && key !== tool(''))) {
    if (Object.values(variants).some((value) => typeof value !== 'boolean')) {
      list.warn([...at, 'variants'], 'are not true and false: Millrace takes the flag for one that fails')
    }
  } else if (key.startsWith(streaming) || nearestOf(key, [streaming, kill]) !== undefined) {
    list.warn(at, `is no flag of Millrace, which reads ${streaming}, ${kill} and ${tool('<name>')}`)
  }
}

function readFlag(list: IssueList, at: At, input: unknown, segments: ReadonlySet<string>): FlagDefinition | undefined {
  const value = list.record(at, input)
  if (value === undefined) return undefined
  const known = ['key', 'state', 'variants', 'defaultVariant', 'targeting', 'rollout', 'metadata']
  // flagd lets a flag carry more; but a misspelt `rollout` should not pass in silence.
  list.keys(at, value, known, 'warning')
  const state = value['state']
  const variants = readVariants(list, [...at, 'variants'], value['variants'])
  const defaultVariant = readDefaultVariant(list, [...at, 'defaultVariant'], value['defaultVariant'], variants)
  const targeting = readTargeting(list, [...at, 'targeting'], value['targeting'])
  const rollout = value['rollout'] === undefined ? undefined : readRollout(list, [...at, 'rollout'], value['rollout'])
  const metadata = readMetadata(list, [...at, 'metadata'], value['metadata'])
  if (state !== 'ENABLED' && state !== 'DISABLED') {
    return list.error([...at, 'state'], `must be "ENABLED" or "DISABLED", not ${nameOf(state)}`)
  }
  if (variants === undefined) return undefined
  const flag: FlagDefinition = {
    state,
    variants,
    ...(defaultVariant !== undefined && { defaultVariant }),
    ...(targeting !== undefined && { targeting }),
    ...(rollout !== undefined && { rollout }),
    ...(metadata !== undefined && { metadata }),
  }
  checkRollout(list, [...at, 'rollout'], flag, segments)
  return flag
}

function readVariants(list: IssueList, at: At, input: unknown): Record<string, JsonValue> | undefined {
  const variants = readEntries(list, at, input ?? null, readJson)
  if (variants === undefined) return undefined
  const types = new Set(Object.values(variants).map((value) => (isRecord(value) ? 'object' : typeof value)))
  for (const [name, value] of Object.entries(variants)) {
    if (value === null || Array.isArray(value)) list.error([...at, name], `must not be ${nameOf(value)}`)
  }
  if (types.size === 0) return list.error(at, 'must hold at least one variant')
  if (types.size > 1) return list.error(at, `must all be of one type, not ${[...types].join(' and ')}`)
  return variants
}

function readDefaultVariant(
  list: IssueList,
  at: At,
  input: unknown,
  variants: Readonly<Record<string, JsonValue>> | undefined,
): string | null | undefined {
  if (input === undefined || input === null) return input
  if (typeof input !== 'string') return list.error(at, `must be the name of a variant or null, not ${nameOf(input)}`)
  // flagd takes the empty string for none.
  if (input === '') return null
  if (variants !== undefined && !Object.hasOwn(variants, input)) return list.error(at, 'names no variant of this flag')
  return input
}

/** What `rollout` says must exist, and must be able to make a difference. */
function checkRollout(list: IssueList, at: At, flag: FlagDefinition, segments: ReadonlySet<string>): void {
  const { rollout, variants, defaultVariant } = flag
  if (rollout === undefined) return
  for (const field of ['include', 'exclude'] as const) {
    for (const [index, name] of rollout[field]?.entries() ?? []) {
      if (!segments.has(name)) list.error([...at, field, index], 'names no segment: define it under "$segments"')
    }
  }
  const variant = rolloutVariant(flag)
  if (variant === undefined)
    list.error(at, 'needs "variant": this flag has not exactly one variant with the value true')
  else if (!Object.hasOwn(variants, variant)) list.error([...at, 'variant'], 'names no variant of this flag')
  else if (variant === defaultVariant) list.warn(at, `changes nothing: all get "${variant}" by defaultVariant already`)
}

/** The variant that a rollout gives to those who are in. */
export function rolloutVariant({ rollout, variants }: FlagDefinition): string | undefined {
  if (rollout?.variant !== undefined) return rollout.variant
  const names = Object.keys(variants).filter((name) => variants[name] === true)
  return names.length === 1 ? names[0] : undefined
}

function readTargeting(list: IssueList, at: At, input: unknown): FlagDefinition['targeting'] {
  return readEntries(list, at, input, readJson)
}

function readMetadata(list: IssueList, at: At, input: unknown): FlagMetadata | undefined {
  return readEntries(list, at, input, (_, place, value) => {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
    return list.error(place, `must be a string, number or boolean, not ${nameOf(value)}`)
  })
}

function readJson(list: IssueList, at: At, value: unknown): JsonValue | undefined {
  return isJson(value) ? value : list.error(at, 'must be plain JSON, at most 64 levels deep')
}

/** Reads each member of an object. Undefined stays undefined. */
function readEntries<T>(
  list: IssueList,
  at: At,
  input: unknown,
  read: (list: IssueList, at: At, value: unknown) => T | undefined,
): Record<string, T> | undefined {
  if (input === undefined) return undefined
  const value = list.record(at, input)
  if (value === undefined) return undefined
  const members = Object.entries(value).flatMap(([key, member]): [string, T][] => {
    if (key === '') list.error(at, 'must not have an empty key')
    const result = read(list, [...at, key], member)
    return result === undefined ? [] : [[key, result]]
  })
  return Object.fromEntries(members)
}
