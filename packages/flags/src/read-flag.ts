import { isRecord } from '@millrace/core/kit'
import type { FlagDefinition, FlagMetadata, FlagSegment, JsonValue } from './document.ts'
import { type At, type IssueList, nameOf } from './issue-list.ts'
import { isJson } from './json.ts'
import { readRollout } from './read-rollout.ts'

/** The segments of a document by name; undefined for one that is invalid, so that no flag guesses its members. */
export type Segments = ReadonlyMap<string, FlagSegment | undefined>

/** Reads one flag. Reports errors for everything that is wrong with it. */
export function readFlag(list: IssueList, at: At, input: unknown, segments: Segments): FlagDefinition | undefined {
  const value = list.record(at, input)
  if (value === undefined) return undefined
  const known = ['key', 'state', 'variants', 'defaultVariant', 'targeting', 'rollout', 'metadata']
  // flagd allows more keys, but a misspelt `rollout` must not pass silently.
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
  const variants = list.entries(at, input ?? null, readJson)
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
  // flagd takes the empty string for no default.
  if (input === '') return null
  if (variants !== undefined && !Object.hasOwn(variants, input))
    return list.error(at, 'must name a variant of this flag')
  return input
}

/** Checks that what `rollout` names exists, and that it makes a difference. */
function checkRollout(list: IssueList, at: At, flag: FlagDefinition, segments: Segments): void {
  const { rollout, variants, defaultVariant } = flag
  if (rollout === undefined) return
  for (const field of ['include', 'exclude'] as const) {
    for (const [index, name] of rollout[field]?.entries() ?? []) {
      const place = [...at, field, index]
      if (!segments.has(name)) list.error(place, `must name a segment: define "${name}" under "$segments"`)
      else if (segments.get(name) === undefined) list.error(place, `names the segment "${name}", which is invalid`)
    }
  }
  const variant = rolloutVariant(flag)
  if (variant === undefined)
    list.error(at, 'needs "variant", because this flag does not have exactly one variant with the value true')
  else if (!Object.hasOwn(variants, variant)) list.error([...at, 'variant'], 'must name a variant of this flag')
  else if (variant === defaultVariant) list.warn(at, `changes nothing: "${variant}" is already the default variant`)
}

/** Returns the variant that a rollout gives to units that are in. */
export function rolloutVariant({ rollout, variants }: FlagDefinition): string | undefined {
  if (rollout?.variant !== undefined) return rollout.variant
  const names = Object.keys(variants).filter((name) => variants[name] === true)
  return names.length === 1 ? names[0] : undefined
}

function readTargeting(list: IssueList, at: At, input: unknown): FlagDefinition['targeting'] {
  // flagd takes null for no rule.
  return input === null ? undefined : list.entries(at, input, readJson)
}

/** Reads a flat record of metadata. */
export function readMetadata(list: IssueList, at: At, input: unknown): FlagMetadata | undefined {
  return list.entries(at, input, (_, place, value) => {
    if (typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value
    return list.error(place, `must be a string, number or boolean, not ${nameOf(value)}`)
  })
}

/** Reads plain JSON. */
export function readJson(list: IssueList, at: At, value: unknown): JsonValue | undefined {
  return isJson(value) ? value : list.error(at, 'must be plain JSON, at most 64 levels deep')
}
