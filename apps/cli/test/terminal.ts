import { Terminal } from '@xterm/headless'
import { Writable } from 'node:stream'
import type { Output } from '../src/terminal/screen.ts'

/** A terminal without a window: what was written to it, and what a person would see. */
export interface TestTerminal {
  readonly output: Output
  /** Everything that can be scrolled to, without empty lines at the end. */
  lines(): Promise<string[]>
  /** Changes the width, as a user who drags the window does: the terminal breaks its lines anew. */
  resize(columns: number): Promise<void>
}

export function openTerminal({ columns = 80, rows = 24 }: { columns?: number; rows?: number } = {}): TestTerminal {
  const terminal = new Terminal({ cols: columns, rows, convertEol: true, allowProposedApi: true, scrollback: 10_000 })
  const stream = new Writable({
    write(chunk: Buffer, _encoding, done) {
      terminal.write(chunk)
      done()
    },
  })
  const written = (): Promise<void> => new Promise((resolve) => terminal.write('', resolve))
  const output = Object.assign(stream, { isTTY: true, columns, rows })
  return {
    output,
    async resize(width) {
      await written()
      terminal.resize(width, rows)
      output.columns = width
    },
    async lines() {
      await written()
      const buffer = terminal.buffer.active
      const lines = Array.from({ length: buffer.length }, (_, y) => buffer.getLine(y)?.translateToString(true) ?? '')
      return lines.slice(0, lines.findLastIndex((line) => line !== '') + 1)
    },
  }
}
