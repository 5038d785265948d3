/** What the command needs of its process. */
export interface CommandHost {
  readonly out: (line: string) => void
  readonly err: (line: string) => void
  /** Whether standard output, and standard error, are terminals. */
  readonly isTerminal: { readonly out: boolean; readonly err: boolean }
  /** Writes over the last line of a terminal; an empty text clears it. */
  readonly status: (text: string) => void
  /** Returns the version of this package. */
  readonly version: () => string
  readonly env: Readonly<Record<string, string | undefined>>
  /** Milliseconds since the epoch. */
  readonly now: () => number
  /**
   * Calls `listener` at each signal that asks the process to end, and keeps it alive. The returned function undoes
   * that.
   */
  readonly onSignal: (listener: (signal: NodeJS.Signals) => void) => () => void
  /** Whether a signal of the keyboard reaches the started command as well. */
  readonly sharesKeyboard: boolean
}

/** The arguments cannot be understood. */
export class UsageError extends Error {}
