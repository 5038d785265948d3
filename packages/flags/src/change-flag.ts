import { flagKeys, MillraceError } from '@millrace/core'
import { aListOf, anId, checkOptions, oneOf, rule, type Rule } from '@millrace/core/kit'
import { hasTargeting } from './compile.ts'
import type { FlagDefinition, FlagDocument, FlagRollout, FlagSegment } from './document.ts'

/** A change of one boolean flag. Fields that you leave out stay as they are. */
export interface FlagChange {
  /** `on`: for all users except those in `exclude`. `off`: for no user; `include` is removed. */
  readonly serve?: 'on' | 'off'
  /** 0 to 100, at most three decimals. */
  readonly percent?: number
  /** The attribute that the percentage counts. */
  readonly unit?: string
  /** Draws the users again. */
  readonly salt?: string
  /** Segments that are in. Replaces the list. */
  readonly include?: readonly string[]
  /** Segments that are out. Replaces the list. */
  readonly exclude?: readonly string[]
}

const flagChangeRules: Readonly<Record<keyof FlagChange, Rule>> = {
  serve: oneOf('on', 'off'),
  // The range is checked with the document, wherever one is written.
  percent: rule(Number.isFinite, 'must be a number'),
  unit: anId,
  salt: anId,
  include: aListOf(anId),
  exclude: aListOf(anId),
}

/**
 * Returns `document` with the flag `key` changed, or created if it does not exist. Does not modify `document`.
 *
 * @throws MillraceError `unknown_option`, `invalid_option` for the change; `invalid_input` if the flag is not boolean, or has
 * `targeting`, which is evaluated first
 */
export function changeFlag(document: FlagDocument, key: string, change: FlagChange): FlagDocument {
  checkOptions(change, 'change', flagChangeRules)
  const flag = Object.hasOwn(document.flags, key) ? document.flags[key] : undefined
  return { ...document, flags: { ...document.flags, [key]: changed(key, flag ?? newFlag, change) } }
}

/** Returns `document` with the kill switch on or off. It is a plain flag, so every reader of flagd's format sees it. */
export function changeKill(document: FlagDocument, on: boolean): FlagDocument {
  return changeFlag(document, flagKeys.kill, { serve: on ? 'on' : 'off' })
}

/** Returns `document` with a segment defined or replaced. */
export function changeSegment(document: FlagDocument, name: string, segment: FlagSegment): FlagDocument {
  return { ...document, $segments: { ...document.$segments, [name]: segment } }
}

const newFlag: FlagDefinition = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' }

function changed(key: string, flag: FlagDefinition, change: FlagChange): FlagDefinition {
  if (hasTargeting(flag)) {
    throw new MillraceError(
      'invalid_input',
      `flag "${key}" has targeting, which is evaluated first: change the rule by hand`,
    )
  }
  const on = variantFor(key, flag, true)
  const off = variantFor(key, flag, false)
  const { serve, ...rest } = change
  // Without a rollout, on and off are the default variant, which every reader of flagd's format understands.
  if (serve !== undefined && flag.rollout === undefined && Object.keys(rest).length === 0) {
    return { ...flag, state: 'ENABLED', defaultVariant: serve === 'on' ? on : off }
  }
  const rollout = changeRollout(flag.rollout ?? {}, change)
  return { ...flag, state: 'ENABLED', defaultVariant: off, rollout: { ...rollout, variant: on } }
}

function changeRollout(before: FlagRollout, change: FlagChange): FlagRollout {
  const { serve, percent, unit, salt, include, exclude } = change
  const { include: _dropped, ...strict } = before
  return {
    ...(serve === 'off' ? strict : before),
    ...(serve !== undefined && { percent: serve === 'on' ? 100 : 0 }),
    ...(percent !== undefined && { percent }),
    ...(unit !== undefined && { unit }),
    ...(salt !== undefined && { bucketing: { ...before.bucketing, salt } }),
    ...(include !== undefined && { include }),
    ...(exclude !== undefined && { exclude }),
  }
}

function variantFor(key: string, flag: FlagDefinition, value: boolean): string {
  const names = Object.keys(flag.variants).filter((name) => flag.variants[name] === value)
  const name = names.find((candidate) => candidate === flag.rollout?.variant) ?? names[0]
  if (name !== undefined) return name
  throw new MillraceError('invalid_input', `flag "${key}" has no variant with the value ${value}`)
}
