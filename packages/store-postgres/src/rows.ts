import { MillraceError } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'

export type Row = Readonly<Record<string, unknown>>

/** @throws MillraceError `store_unavailable` for an answer that is not ours */
export function rowOf(value: unknown): Row {
  if (!isRecord(value)) throw unexpected('row')
  return value
}

/** A number; `pg` gives one of 64 bits as text. @throws MillraceError `store_unavailable` for anything else */
export function integer(row: Row, column: string): number {
  const value = row[column]
  const number = typeof value === 'string' ? Number(value) : value
  if (typeof number !== 'number' || !Number.isFinite(number)) throw unexpected(column)
  return number
}

/** @throws MillraceError `store_unavailable` for anything else */
export function text(row: Row, column: string): string {
  const value = row[column]
  if (typeof value !== 'string') throw unexpected(column)
  return value
}

export function optionalText(row: Row, column: string): string | undefined {
  return row[column] === null || row[column] === undefined ? undefined : text(row, column)
}

/**
 * Returns a string as Postgres can store any: it refuses a zero character, and UTF-8 has no lone surrogates. Two strings
 * that differ are stored as two that differ.
 */
export function stored(value: string): string {
  return JSON.stringify(value).slice(1, -1)
}

/** The string that was given to {@link stored}. */
export function restored(value: string): string {
  return JSON.parse(`"${value}"`)
}

export function optionalRestored(row: Row, column: string): string | undefined {
  const value = optionalText(row, column)
  return value === undefined ? undefined : restored(value)
}

function unexpected(column: string): MillraceError {
  return new MillraceError('store_unavailable', `Postgres gave an unexpected "${column}"`)
}
