import { invalidOption, unknownName } from '../kit/errors.ts'
import type { FaultKind, FaultRule } from './fault.ts'
import { faultKinds, isFaultKind, isQuirkKind, quirkKinds } from './fault-kinds.ts'
import { isInteger, isObject, isString, type JsonObject } from '../kit/guards.ts'

type Check = (value: unknown) => string | undefined
type Checks = { readonly [field: string]: Check }

const count: Check = (value) => (isInteger(value) && value >= 0 ? undefined : 'must be 0 or a positive integer')
const ordinal: Check = (value) => (isInteger(value) && value >= 1 ? undefined : 'must be a positive integer')
const someText: Check = (value) => (isString(value) && value !== '' ? undefined : 'must be a string that is not empty')
const oneOf =
  (...words: readonly string[]): Check =>
  (value) =>
    isString(value) && words.includes(value) ? undefined : `must be one of ${words.join(', ')}`
const status: Check = (value) =>
  isInteger(value) && value >= 400 && value <= 599 ? undefined : 'must be an HTTP status from 400 to 599'
const duration: Check = (value) =>
  typeof value === 'number' && value > 0 && Number.isFinite(value)
    ? undefined
    : 'must be a number of milliseconds above 0'

const position: Check = (value) => {
  const expected = 'must be { event: <index> } or { byte: <offset> }'
  if (!isObject(value)) return expected
  const [field, ...more] = Object.keys(value)
  if (more.length > 0 || (field !== 'event' && field !== 'byte')) return expected
  return count(value[field]) === undefined ? undefined : expected
}

const attempt: Check = (value) => {
  if (value === 'all' || ordinal(value) === undefined) return undefined
  const isList = Array.isArray(value) && value.length > 0 && value.every((item) => ordinal(item) === undefined)
  return isList ? undefined : 'must be "all", a positive integer or a list of them'
}

const matchChecks: Checks = {
  turn: ordinal,
  attempt,
  stream: (value) => (typeof value === 'boolean' ? undefined : 'must be true or false'),
  times: (value) =>
    value === 'forever' || ordinal(value) === undefined ? undefined : 'must be a positive integer or "forever"',
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
 * Returns the rules of a fault plan that came from outside, such as a JSON file.
 *
 * @throws TestingError `invalid_option` with the place of the first thing that is wrong, such as `faults[2].at`
 */
export function parseFaultPlan(plan: unknown, path = 'faults'): readonly FaultRule[] {
  if (!Array.isArray(plan)) throw invalidOption(path, 'must be a list of rules')
  return plan.map((rule: unknown, index) => {
    const rulePath = `${path}[${index}]`
    if (!isFaultRule(rule, rulePath)) throw invalidOption(rulePath, 'must be a fault rule')
    return rule
  })
}

function isFaultRule(rule: unknown, path: string): rule is FaultRule {
  if (!isObject(rule)) throw invalidOption(path, 'must be an object: { kind, ... }')
  if (!isFaultKind(rule.kind)) {
    throw invalidOption(`${path}.kind`, `must be one of ${faultKinds.map(({ kind }) => kind).join(', ')}`)
  }
  checkFault(rule, rule.kind, path, matchChecks)
  return true
}

/**
 * Checks that `quirks` is a list of faults that an answer can have by itself.
 *
 * @throws TestingError `invalid_option` with the place of the first thing that is wrong
 */
export function checkQuirks(quirks: unknown, path: string): void {
  if (!Array.isArray(quirks)) throw invalidOption(path, 'must be a list of quirks')
  for (const [index, quirk] of quirks.entries()) {
    const quirkPath = `${path}[${index}]`
    if (!isObject(quirk)) throw invalidOption(quirkPath, 'must be an object: { kind, ... }')
    if (!isQuirkKind(quirk.kind)) {
      throw invalidOption(`${quirkPath}.kind`, `must be one of ${quirkKinds.join(', ')}`)
    }
    checkFault(quirk, quirk.kind, quirkPath, {})
  }
}

function checkFault(fault: JsonObject, kind: FaultKind, path: string, more: Checks): void {
  const { required = {}, optional = {} } = kindChecks[kind]
  checkFields(fault, { ...optional, ...more, ...required }, path)
  for (const field of Object.keys(required)) {
    if (fault[field] === undefined) throw invalidOption(`${path}.${field}`, `is required for kind "${kind}"`)
  }
}

function checkFields(rule: JsonObject, checks: Checks, path: string): void {
  for (const [field, value] of Object.entries(rule)) {
    if (field === 'kind' || value === undefined) continue
    const check = Object.hasOwn(checks, field) ? checks[field] : undefined
    if (check === undefined) {
      throw unknownName('option', `${path}.${field}`, Object.keys(checks))
    }
    const found = check(value)
    if (found !== undefined) throw invalidOption(`${path}.${field}`, found)
  }
}
