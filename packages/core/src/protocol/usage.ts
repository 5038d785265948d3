import { isRecord } from '../kit/guards.ts'
import type { Usage } from './messages.ts'

/** No usage at all. */
export const noUsage: Usage = { input_tokens: 0, output_tokens: 0 }

/** Adds the usage of two turns: numbers add up, groups of numbers likewise, lists grow, anything else is the later one's. */
export function addUsage(sum: Usage, turn: Usage): Usage {
  return readUsage(addFields(sum, turn))
}

function addFields(
  sum: Readonly<Record<string, unknown>>,
  turn: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  const added: Record<string, unknown> = { ...sum }
  for (const [field, value] of Object.entries(turn)) {
    const before = sum[field]
    if (typeof value === 'number' && typeof before === 'number') added[field] = before + value
    else if (isRecord(value) && isRecord(before)) added[field] = addFields(before, value)
    else if (Array.isArray(value) && Array.isArray(before)) added[field] = [...before, ...value]
    else if (value !== null || before === undefined) added[field] = value
  }
  return added
}

/** The usage of an answer, whatever else it counts; a count that is missing is 0. */
export function readUsage(usage: Readonly<Record<string, unknown>>): Usage {
  const { input_tokens, output_tokens } = usage
  return {
    ...usage,
    input_tokens: typeof input_tokens === 'number' ? input_tokens : 0,
    output_tokens: typeof output_tokens === 'number' ? output_tokens : 0,
  }
}
