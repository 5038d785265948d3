import { createLogUpdate } from 'log-update'
import wrapAnsi from 'wrap-ansi'
import { describeWithdrawal, type Look, paint } from './look.ts'
import { drawProgress } from './progress-bar.ts'
import { createRunningText } from './running-text.ts'
import type { Output, Progress, Screen } from './screen.ts'

/** Lines of the running text that can still be withdrawn; those before scroll away. It bounds what is drawn again. */
const liveLines = 10

/** For terminals: the end of the running text and the bars below it are drawn again with each change. */
export function liveScreen(output: Output): Screen {
  const update = createLogUpdate(output)
  const bars = new Map<string, Progress>()
  const running = createRunningText()

  const width = (): number => Math.max(20, output.columns ?? 80)
  const wrap = (text: string): string => wrapAnsi(text, width(), { trim: false, hard: true })

  function render(): void {
    const text = running.plain === '' ? [] : wrap(running.painted()).split('\n')
    if (text.at(-1) === '') text.pop()
    const lines = [...text, ...[...bars.values()].map((bar) => drawProgress(bar, width()))]
    if (lines.length === 0) update.clear()
    // A frame must not grow by an empty line: log-update 8 then moves down past the last line of the terminal, where
    // there is nothing to move to, and draws one line too high.
    else update(lines.map((line) => (line === '' ? ' ' : line)).join('\n'))
  }

  /** Writes what is no longer live, above what is. */
  function settle(text: string): void {
    update.persist(`${wrap(text)}\n`)
  }

  /** Lets all but the last lines of a long text scroll away. */
  function trim(): void {
    const { plain } = running
    const lines = wrap(plain).split('\n')
    const most = Math.max(1, Math.min(liveLines, (output.rows ?? 24) - bars.size - 2))
    if (lines.length <= most) return
    const cut = startOfLine(plain, lines, lines.length - Math.ceil(most / 2))
    const breaksHere = plain[cut - 1] === '\n'
    settle(running.takeFront(breaksHere ? cut - 1 : cut))
    if (breaksHere) running.takeFront(1)
  }

  function endText(): void {
    const { plain } = running
    const text = running.takeFront(plain.endsWith('\n') ? plain.length - 1 : plain.length)
    running.takeFront(1)
    if (plain !== '') settle(text)
    render()
  }

  function notice(text: string, look: Look = 'dim'): void {
    settle(paint(look, text))
    render()
  }

  return {
    live: true,
    write(text, look = 'text') {
      if (text === '') return
      running.append(text, look)
      trim()
      render()
    },
    withdraw(text) {
      running.dropEnd(text.length)
      // What has scrolled away stays where it is; and who was reading is told in any case.
      notice(describeWithdrawal(text), 'notice')
    },
    endText,
    line(text, look = 'text') {
      endText()
      notice(text, look)
    },
    notice,
    progress(key, state) {
      if (state === undefined) bars.delete(key)
      else bars.set(key, state)
      render()
    },
    rest() {
      bars.clear()
      endText()
      update.done()
    },
  }
}

/** Where a line of the wrapped text begins in the text itself. The end of it, where wrapping has changed characters. */
function startOfLine(text: string, lines: readonly string[], wanted: number): number {
  let start = 0
  for (const line of lines.slice(0, wanted)) {
    if (!text.startsWith(line, start)) return text.length
    start += line.length
    if (text[start] === '\n') start++
  }
  return start
}
