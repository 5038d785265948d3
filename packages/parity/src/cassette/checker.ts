import { isRecord } from '@millrace/core/kit'
import { ParityError } from '../kit/errors.ts'
import { isList, type JsonObject } from '../kit/json.ts'

/** Throws `invalid_cassette` with the place and what is expected there. */
export function refuse(path: string, expected: string): never {
  throw new ParityError('invalid_cassette', `${path === '' ? 'the cassette' : path} ${expected}`, { path })
}

/** Returns an object with these fields and no others. Those with a `?` may be absent. */
export function anObject(value: unknown, path: string, fields: readonly string[]): JsonObject {
  if (!isRecord(value)) refuse(path, 'must be an object')
  const known = fields.map((field) => field.replace('?', ''))
  for (const field of Object.keys(value)) {
    if (!known.includes(field)) refuse(joinPath(path, field), `is unknown; expected one of ${known.join(', ')}`)
  }
  for (const field of fields) {
    if (!field.endsWith('?') && !Object.hasOwn(value, field)) refuse(joinPath(path, field), 'is missing')
  }
  return value
}

export function aList(value: unknown, path: string): readonly unknown[] {
  if (!isList(value)) refuse(path, 'must be a list')
  return value
}

export function aString(value: unknown, path: string): string {
  if (typeof value !== 'string' || value === '') refuse(path, 'must be a string that is not empty')
  return value
}

/** Returns a finite number of at least `minimum`. */
export function aNumber(value: unknown, path: string, minimum = 0): number {
  if (typeof value !== 'number' || !Number.isFinite(value) || value < minimum) {
    refuse(path, `must be a number of at least ${minimum}`)
  }
  return value
}

/** Returns a whole number from `minimum` to `maximum`. */
export function aCount(value: unknown, path: string, minimum: number, maximum: number): number {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < minimum || value > maximum) {
    refuse(path, `must be a whole number from ${minimum} to ${maximum}`)
  }
  return value
}

function joinPath(path: string, field: string): string {
  return path === '' ? field : `${path}.${field}`
}
