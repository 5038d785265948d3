import { createInterface } from 'node:readline'
import type { ReadStream } from 'node:tty'
import type { Output } from '../terminal/screen.ts'

/** The source of the user's lines. */
export interface Prompter {
  /** Resolves to the next line; undefined at the end of the input, or after Ctrl-C twice. */
  next(): Promise<string | undefined>
  /** Calls `pressed` for each Ctrl-C and ignores other keys, until the returned function is called. */
  watchInterrupts(pressed: () => void): () => void
  /** Stops reading. */
  close(): void
}

const prompt = '> '

/** Asks a person at a terminal, with line editing and history. */
export function terminalPrompter(input: ReadStream, output: Output): Prompter {
  let history: string[] = []
  return {
    next: () =>
      new Promise((resolve) => {
        const reader = createInterface({ input, output, terminal: true, history, prompt })
        let warned = false
        const end = (line: string | undefined): void => {
          resolve(line)
          reader.close()
        }
        reader.on('history', (lines: string[]) => {
          history = lines
        })
        reader.on('line', end)
        reader.on('close', () => resolve(undefined))
        reader.on('SIGINT', () => {
          if (warned) {
            output.write('\n')
            end(undefined)
            return
          }
          warned = true
          output.write('\n(press Ctrl-C again to leave)\n')
          // Drops what was typed: Ctrl-E goes to its end, Ctrl-U deletes from there.
          reader.write(null, { ctrl: true, name: 'e' })
          reader.write(null, { ctrl: true, name: 'u' })
          reader.prompt()
        })
        reader.prompt()
      }),
    watchInterrupts(pressed) {
      const onData = (data: Buffer): void => {
        if (data.includes(3)) pressed()
      }
      // Raw mode keeps what is typed in the meantime out of the answer.
      input.setRawMode(true)
      input.on('data', onData)
      input.resume()
      return () => {
        input.off('data', onData)
        input.pause()
        input.setRawMode(false)
      }
    },
    close() {},
  }
}

/** Reads lines from a pipe or a file, and repeats each with `echo`, so that the output reads as a conversation. */
export function linePrompter(input: NodeJS.ReadableStream, echo: (line: string) => void): Prompter {
  const reader = createInterface({ input, terminal: false })
  const lines = reader[Symbol.asyncIterator]()
  return {
    async next() {
      const { done, value } = await lines.next()
      if (done === true) return undefined
      echo(`${prompt}${value}`)
      return value
    },
    watchInterrupts: () => () => {},
    close: () => reader.close(),
  }
}
