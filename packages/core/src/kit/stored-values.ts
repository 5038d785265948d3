import { MillraceError } from './errors.ts'

/**
 * Returns `value` as the JSON that a store keeps.
 *
 * @throws MillraceError `invalid_input` where it cannot be written as JSON
 */
export function toJson(value: unknown): string {
  let json: string | undefined
  try {
    json = JSON.stringify(value)
  } catch (cause) {
    throw new MillraceError('invalid_input', 'the value cannot be written as JSON', { cause })
  }
  if (json === undefined)
    throw new MillraceError('invalid_input', 'the value cannot be written as JSON; use null for none')
  return json
}

/** @throws MillraceError `invalid_input` where a number that is to be added to a counter is not finite */
export function checkCounters(numbers: Readonly<Record<string, number>>): void {
  for (const [name, amount] of Object.entries(numbers)) {
    if (!Number.isFinite(amount))
      throw new MillraceError('invalid_input', `the counter "${name}" must be given a finite number`)
  }
}

/** The error for a reader whose next events a store does not have. */
export function eventsMissed(runId: string, afterSeq: number): MillraceError {
  return new MillraceError('events_missed', `the events of run ${runId} after ${afterSeq} are no longer kept`)
}
