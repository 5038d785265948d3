import { invalidOption } from '../kit/errors.ts'
import type { FaultKind, FaultRule } from './fault.ts'
import { faultKinds, isFaultKind, isQuirkKind, quirkKinds } from './fault-kinds.ts'
import { isInteger, isObject, isString, type JsonObject } from '../kit/guards.ts'

type Check = (value: unknown) => string | undefined
type Checks = { readonly [field: string]: Check }

const count: Check = (value) => (isInteger(value) && value >= 0 ? undefined : 'expected 0 or a positive integer')
const ordinal: Check = (value) => (isInteger(value) && value >= 1 ? undefined : 'expected a positive integer')
const someText: Check = (value) => (isString(value) && value !== '' ? undefined : 'expected a non-empty string')
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    isString(value) && words.includes(value) ? undefined : `expected one of: ${words.join(', ')}`
const status: Check = (value) =>
  isInteger(value) && value >= 400 && value <= 599 ? undefined : 'expected an HTTP status from 400 to 599'
const duration: Check = (value) =>
  typeof value === 'number' && value > 0 && Number.isFinite(value) ? undefined : 'expected milliseconds, more than 0'

const position: Check = (value) => {
  const expected = 'expected { event: <index> } or { byte: <offset> }'
  if (!isObject(value)) return expected
  const [field, ...more] = Object.keys(value)
  if (more.length > 0 || (field !== 'event' && field !== 'byte')) return expected
  return count(value[field]) === undefined ? undefined : expected
}

const attempt: Check = (value) => {
  if (value === 'all' || ordinal(value) === undefined) return undefined
  const isList = Array.isArray(value) && value.length > 0 && value.every((item) => ordinal(item) === undefined)
  return isList ? undefined : "expected 'all', a positive integer or a list of them"
}

const matchChecks: Checks = {
  turn: ordinal,
  attempt,
  stream: (value) => (typeof value === 'boolean' ? undefined : 'expected true or false'),
  times: (value) =>
    value === 'forever' || ordinal(value) === undefined ? undefined : "expected a positive integer or 'forever'",
}

interface KindChecks {
  readonly required?: Checks
  readonly optional?: Checks
}

const at = { at: position }

const kindChecks: { readonly [Kind in FaultKind]: KindChecks } = {
  destroy: { optional: at },
  reset: { optional: at },
  end: { optional: at },
  'break-chunk': { optional: at },
  'gzip-cut': { optional: at },
  gzip: {},
  'error-event': { required: { errorType: someText }, optional: at },
  stall: { optional: { ...at, pingEvery: duration } },
  'slow-headers': { required: { ms: duration } },
  'no-headers': {},
  refused: {},
  status: { required: { status }, optional: { retryAfter: someText, retryAfterMs: someText } },
  html: {},
  json: {},
  'garbage-line': { required: { mode: oneOf('add', 'instead') }, optional: at },
  'duplicate-event': { optional: at },
  'second-message-start': { required: { id: oneOf('same', 'other') }, optional: at },
  'no-message-stop': {},
  'no-final-blank-line': {},
  'unknown-event': { optional: at },
  'unknown-block': {},
  'unknown-delta': { optional: at },
  'stop-reason': { required: { stopReason: someText } },
  'tool-use-without-tool': {},
  'tool-json-cut': { required: { piece: count } },
  'unstopped-block': { optional: { block: count } },
  replay: { optional: at },
  'unknown-field': {},
  'byte-order-mark': {},
  'prefilled-start': {},
  'no-signature': {},
  'empty-answer': {},
  'repeated-tool-id': {},
  'start-over': {},
}

/**
 * The rules of a fault plan that came from outside, such as a JSON file. Throws a `TestingError` (`invalid_option`) with
 * the place of the first thing that is wrong, such as `faults[2].at`.
 */
export function parseFaultPlan(plan: unknown, path = 'faults'): readonly FaultRule[] {
  if (!Array.isArray(plan)) throw invalidOption(path, 'expected a list of rules')
  return plan.map((rule: unknown, index) => {
    const rulePath = `${path}[${index}]`
    if (!isFaultRule(rule, rulePath)) throw invalidOption(rulePath, 'expected a fault rule')
    return rule
  })
}

function isFaultRule(rule: unknown, path: string): rule is FaultRule {
  if (!isObject(rule)) throw invalidOption(path, 'expected an object: { kind, ... }')
  if (!isFaultKind(rule.kind)) {
    throw invalidOption(`${path}.kind`, `expected one of: ${faultKinds.map(({ kind }) => kind).join(', ')}`)
  }
  checkFault(rule, rule.kind, path, matchChecks)
  return true
}

/** Throws `invalid_option` with the place where `quirks` is no list of faults that an answer can have by itself. */
export function checkQuirks(quirks: unknown, path: string): void {
  if (!Array.isArray(quirks)) throw invalidOption(path, 'expected a list of quirks')
  for (const [index, quirk] of quirks.entries()) {
    const quirkPath = `${path}[${index}]`
    if (!isObject(quirk)) throw invalidOption(quirkPath, 'expected an object: { kind, ... }')
    if (!isQuirkKind(quirk.kind)) {
      throw invalidOption(`${quirkPath}.kind`, `expected one of: ${quirkKinds.join(', ')}`)
    }
    checkFault(quirk, quirk.kind, quirkPath, {})
  }
}

function checkFault(fault: JsonObject, kind: FaultKind, path: string, more: Checks): void {
  const { required = {}, optional = {} } = kindChecks[kind]
  checkFields(fault, { ...optional, ...more, ...required }, path)
  for (const field of Object.keys(required)) {
    if (fault[field] === undefined) throw invalidOption(`${path}.${field}`, `required for kind "${kind}"`)
  }
}

function checkFields(rule: JsonObject, checks: Checks, path: string): void {
  for (const [field, value] of Object.entries(rule)) {
    if (field === 'kind' || value === undefined) continue
    const check = Object.hasOwn(checks, field) ? checks[field] : undefined
    if (check === undefined) {
      throw invalidOption(`${path}.${field}`, `unknown here; expected one of: ${Object.keys(checks).join(', ')}`)
    }
    const found = check(value)
    if (found !== undefined) throw invalidOption(`${path}.${field}`, found)
  }
}
