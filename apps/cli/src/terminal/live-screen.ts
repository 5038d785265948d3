import { createLogUpdate } from 'log-update'
import { columnsOf, expandTabs } from './columns.ts'
import { describeRetraction, type Look, paint } from './look.ts'
import { drawProgress } from './progress-bar.ts'
import { createRunningText } from './running-text.ts'
import type { Output, Progress, Screen } from './screen.ts'
import { wrapText } from './wrap-text.ts'

/** Rows of the running text that can still be retracted; those before scroll away. It bounds what is drawn again. */
const liveRows = 10

/** Redraws the end of the running text and the bars below it with each change. For terminals. */
export function liveScreen(output: Output): Screen {
  const update = createLogUpdate(output)
  const bars = new Map<string, Progress>()
  const running = createRunningText()
  /** The widths of the rows that are drawn, and of the terminal they were drawn for. */
  let drawn: { readonly rows: readonly number[]; readonly width: number } = { rows: [], width: 0 }

  const width = (): number => Math.max(1, output.columns ?? 80)

  /** A terminal that has become narrower has broken the rows that are drawn, so that they are more than were written. */
  function eraseBrokenRows(): void {
    if (width() >= drawn.width) return
    const broken = drawn.rows.reduce((sum, columns) => sum + Math.max(0, Math.ceil(columns / width()) - 1), 0)
    output.write(eraseRowAndGoUp.repeat(broken))
  }

  function render(): void {
    eraseBrokenRows()
    const { plain } = running
    const text = wrapText(plain, width()).map(({ start, end }) => running.painted(start, end))
    // The end of the last line is no row of its own yet.
    if (text.at(-1) === '') text.pop()
    const rows = [...text, ...[...bars.values()].map((bar) => drawProgress(bar, width()))]
    drawn = { rows: rows.map(columnsOf), width: width() }
    if (rows.length === 0) update.clear()
    // A frame must not grow by an empty line: log-update 8 then moves down past the last line of the terminal, where
    // there is nothing to move to, and draws one line too high.
    else update(rows.map((row) => (row === '' ? ' ' : row)).join('\n'))
  }

  /** Writes rows that are no longer live above those that are. */
  function settle(rows: readonly string[]): void {
    eraseBrokenRows()
    drawn = { rows: [], width: 0 }
    update.persist(`${rows.join('\n')}\n`)
  }

  /** Lets all but the last rows of a long text scroll away. */
  function trim(): void {
    const rows = wrapText(running.plain, width())
    const most = Math.max(1, Math.min(liveRows, (output.rows ?? 24) - bars.size - 2))
    if (rows.length <= most) return
    const gone = rows.slice(0, rows.length - Math.ceil(most / 2))
    settle(gone.map(({ start, end }) => running.painted(start, end)))
    running.dropFront(rows[gone.length]?.start ?? 0)
  }

  function endText(): void {
    const { plain } = running
    const rows = wrapText(plain.endsWith('\n') ? plain.slice(0, -1) : plain, width())
    if (plain !== '') settle(rows.map(({ start, end }) => running.painted(start, end)))
    running.dropFront(plain.length)
    render()
  }

  function notice(text: string, look: Look = 'dim'): void {
    const rows = wrapText(text, width())
    settle(rows.map(({ start, end }) => paint(look, expandTabs(text.slice(start, end), 0))))
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
    retract(text) {
      running.dropEnd(text.length)
      // What has scrolled away stays where it is; and someone may have read the rest.
      notice(describeRetraction(text), 'notice')
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

const eraseRowAndGoUp = '\u001b[2K\u001b[1A'
