import { StringDecoder } from 'node:string_decoder'
import { stripVTControlCharacters } from 'node:util'
import type { ToolProgress } from '@millrace/core'
import type { ProgressSink } from '../nested.ts'
import { createTail } from '../tail.ts'

export interface OutputOptions {
  readonly progress: ProgressSink | undefined
  readonly maxTail: number
  readonly liveTail: number
  readonly parse: ((line: string, from: 'stdout' | 'stderr') => ToolProgress | undefined) | undefined
}

/** What a child process has written so far: its end, and its size. */
export interface Output {
  write(chunk: Buffer, from: 'stdout' | 'stderr'): void
  /** Takes what is left of the last line and the last character. */
  end(): void
  text(): string
  readonly truncated: boolean
  readonly bytes: number
}

/** A longer line is parsed in pieces of about this many UTF-16 code units. */
const maxLine = 65_536

/** Returns the last line that is not blank. A carriage return begins a line too, because progress bars use it. */
function lastLine(text: string): string {
  const lines = stripVTControlCharacters(text).split(/[\r\n]+/)
  return lines.findLast((line) => line.trim() !== '')?.trim() ?? ''
}

export function createOutput({ progress, maxTail, liveTail, parse }: OutputOptions): Output {
  // One tail serves both limits, because the shorter text is the end of the longer one.
  const tail = createTail(Math.max(maxTail, liveTail))
  const decoders = { stdout: new StringDecoder('utf8'), stderr: new StringDecoder('utf8') }
  const lines = { stdout: '', stderr: '' }
  let bytes = 0
  let length = 0

  function parseLine(line: string, from: 'stdout' | 'stderr'): void {
    if (parse === undefined || progress === undefined) return
    let report: ToolProgress | undefined
    try {
      report = parse(line, from)
    } catch {
      // An error of the parser must not end the program that wrote the line.
    }
    if (report !== undefined) progress(report)
  }

  function take(text: string, from: 'stdout' | 'stderr'): void {
    tail.push(text)
    length += text.length
    if (parse === undefined) return
    const parts = (lines[from] + text).split(/[\r\n]+/)
    lines[from] = parts.pop() ?? ''
    for (const line of parts) if (line !== '') parseLine(line, from)
    if (lines[from].length <= maxLine) return
    parseLine(lines[from], from)
    lines[from] = ''
  }

  function show(): void {
    if (parse !== undefined || progress === undefined) return
    const recent = tail.text(Math.max(liveTail, 1000))
    const message = lastLine(recent)
    const shown = liveTail === 0 ? {} : { tail: stripVTControlCharacters(recent.slice(-liveTail)) }
    progress({ ...(message === '' ? {} : { message }), data: { bytes, ...shown } })
  }

  return {
    write(chunk, from) {
      bytes += chunk.length
      take(decoders[from].write(chunk), from)
      show()
    },
    end() {
      for (const from of ['stdout', 'stderr'] as const) {
        take(decoders[from].end(), from)
        if (lines[from] !== '') parseLine(lines[from], from)
      }
    },
    text: () => tail.text(maxTail),
    get truncated() {
      return length > maxTail
    },
    get bytes() {
      return bytes
    },
  }
}
