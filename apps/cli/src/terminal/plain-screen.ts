import { describeRetraction } from './look.ts'
import { describeProgress } from './progress-bar.ts'
import type { Screen } from './screen.ts'

/** Writes text only, in the order in which it comes, for pipes, files and logs. Progress is a line for each quarter. */
export function plainScreen(out: (text: string) => void): Screen {
  let midLine = false
  const quarters = new Map<string, number>()

  function print(text: string): void {
    if (text === '') return
    out(text)
    midLine = !text.endsWith('\n')
  }

  function line(text: string): void {
    if (midLine) print('\n')
    print(`${text}\n`)
  }

  return {
    live: false,
    write: print,
    retract: (text) => line(describeRetraction(text)),
    endText() {
      if (midLine) print('\n')
    },
    line,
    notice: line,
    progress(key, state) {
      if (state === undefined) {
        quarters.delete(key)
        return
      }
      const { done, total } = state
      const quarter = done === undefined || !total ? 0 : Math.floor((4 * done) / total)
      const before = quarters.get(key)
      quarters.set(key, quarter)
      if (before !== undefined && quarter > before) line(`  ${describeProgress(state)}`)
    },
    rest() {
      if (midLine) print('\n')
    },
  }
}
