import { columnsOf } from './columns.ts'
import { shorten } from './look.ts'
import type { Progress } from './screen.ts'

const barWidth = 24

/** Describes progress in words, as far as it is known: `survey_folder 62 % (194 of 312) src/index.ts`. */
export function describeProgress(state: Progress): string {
  return join(state.label, percent(state), count(state), note(state, 60))
}

/** Draws the same with a bar, in fewer than `width` columns. */
export function drawProgress(state: Progress, width: number): string {
  const { done, total, leftMs } = state
  const filled = done === undefined || !total ? undefined : Math.round(barWidth * Math.min(1, done / total))
  const bar = filled === undefined ? undefined : '█'.repeat(filled) + '░'.repeat(barWidth - filled)
  const left = leftMs === undefined ? undefined : `${(leftMs / 1000).toFixed(1)} s left`
  const line = join(state.label, bar, percent(state), count(state), left)
  return shorten(join(line, note(state, Math.max(0, width - columnsOf(line) - 2))), Math.max(1, width - 1))
}

function percent({ done, total }: Progress): string | undefined {
  return done === undefined || !total ? undefined : `${Math.floor((100 * Math.min(done, total)) / total)} %`
}

function count({ done, total }: Progress): string | undefined {
  if (done === undefined) return undefined
  return total === undefined ? `${done}` : `(${done} of ${total})`
}

function note({ message }: Progress, limit: number): string | undefined {
  return message === undefined || limit < 8 ? undefined : shorten(message, limit)
}

function join(...parts: readonly (string | undefined)[]): string {
  return parts.filter((part) => part !== undefined && part !== '').join(' ')
}
