import type { CommandHost } from './host.ts'

/** Milliseconds between two lines of progress where there is no terminal. */
const interval = 10_000

/** Says how far long work has come, on one line of a terminal or with a line every ten seconds. */
export interface Progress {
  done(): void
  /** Clears its line for other output. */
  clear(): void
}

export function createProgress(host: CommandHost, total: number, what: string): Progress {
  let finished = 0
  let told = host.now()
  return {
    done() {
      finished++
      if (finished === total) return
      const text = `${finished} of ${total} ${what}`
      if (host.isTerminal.err) host.status(text)
      else if (host.now() - told >= interval) {
        told = host.now()
        host.err(text)
      }
    },
    clear() {
      if (host.isTerminal.err) host.status('')
    },
  }
}
