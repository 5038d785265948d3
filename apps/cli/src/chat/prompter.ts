import { createInterface } from 'node:readline'
import type { ReadStream } from 'node:tty'
import type { Output } from '../terminal/screen.ts'

/** Where the user's lines come from. */
export interface Prompter {
  /** The next line; undefined where there is none: at the end of the input, or after Ctrl-C twice. */
  next(): Promise<string | undefined>
  /** Calls `pressed` for each Ctrl-C, until the function it gives is called. What else is typed is ignored. */
  watchInterrupts(pressed: () => void): () => void
  /** Reads no more. */
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
          output.write('\n(Ctrl-C once more to leave)\n')
          // Drops what was typed: Ctrl-E to its end, Ctrl-U from there.
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
      // Raw, so that what is typed meanwhile is not written into the answer.
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

/** Reads lines from a pipe or a file, and repeats each by `echo`, so that the output reads as a conversation. */
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
