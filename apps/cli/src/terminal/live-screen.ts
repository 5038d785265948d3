import { createLogUpdate } from 'log-update'
import wrapAnsi from 'wrap-ansi'
import { describeWithdrawal, type Look, paint } from './look.ts'
import { drawProgress } from './progress-bar.ts'
import { createRunningText } from './running-text.ts'
import type { Output, Progress, Screen } from './screen.ts'

/** Of the running text, so many lines can still be withdrawn; those before scroll away. */
const liveLines = 12

/** The same for a text without line breaks. It bounds what is drawn again for each piece of text. */
const liveLength = 4_000

/** For terminals: the end of the running text and the bars below it are drawn again with each change. */
export function liveScreen(output: Output): Screen {
  const update = createLogUpdate(output)
  const bars = new Map<string, Progress>()
  const running = createRunningText()

  const width = (): number => Math.max(20, output.columns ?? 80)
  const wrap = (text: string): string => wrapAnsi(text, width(), { trim: false, hard: true })

  function render(): void {
    const text = running.painted()
    const lines = [...(text === '' ? [] : [wrap(text)]), ...[...bars.values()].map((bar) => drawProgress(bar, width()))]
    if (lines.length === 0) update.clear()
    else update(lines.join('\n'))
  }

  /** Writes what is no longer live, above what is. */
  function settle(text: string): void {
    update.persist(wrap(text))
  }

  /** Lets all but the end of a long text scroll away. */
  function trim(): void {
    const { plain } = running
    const lines = plain.split('\n')
    if (plain.length <= liveLength && lines.length <= liveLines) return
    const kept = lines.slice(-Math.ceil(liveLines / 2)).join('\n')
    if (lines.length > liveLines && kept.length <= liveLength) {
      settle(running.takeFront(plain.length - kept.length - 1))
      running.takeFront(1)
    } else {
      settle(running.takeFront(plain.length))
    }
  }

  function endText(): void {
    const text = running.takeFront(running.length)
    if (text !== '') settle(text)
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
