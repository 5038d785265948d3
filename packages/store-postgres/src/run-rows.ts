import type { RunOutcome, RunRecord } from '@millrace/core'
import { optionalText, type Row, text } from './rows.ts'

export function recordOf(row: Row): RunRecord {
  return JSON.parse(text(row, 'record'))
}

export function outcomeOf(row: Row): RunOutcome | undefined {
  const json = optionalText(row, 'outcome')
  return json === undefined ? undefined : JSON.parse(json)
}
