import type { Look } from './look.ts'

/** How far a piece of work is. */
export interface Progress {
  readonly label: string
  readonly done?: number | undefined
  readonly total?: number | undefined
  readonly message?: string | undefined
  /** Estimated milliseconds that are left. */
  readonly leftMs?: number | undefined
}

/** The one owner of an output. Everything that is shown goes through it. */
export interface Screen {
  /** Whether shown text can be retracted, and bars move. */
  readonly live: boolean
  /** Appends to the running text, which may end anywhere in a line. */
  write(text: string, look?: Look): void
  /** Retracts `text`, the end of what was written, and says so. What is not live stays where it is. */
  retract(text: string): void
  /** Ends the running text, so that what follows begins on a line of its own. */
  endText(): void
  /** Ends the running text and writes a line below it. */
  line(text: string, look?: Look): void
  /** Writes a line about the running text, which goes on after it. */
  notice(text: string, look?: Look): void
  /** Shows how far the work with this key is; `undefined` means that it is over. */
  progress(key: string, state: Progress | undefined): void
  /** Ends the running text and leaves the cursor below it. The screen may be used again. */
  rest(): void
}

/** The part of an output stream that a screen needs. */
export interface Output extends NodeJS.WritableStream {
  readonly isTTY?: boolean
  readonly columns?: number
  readonly rows?: number
}
