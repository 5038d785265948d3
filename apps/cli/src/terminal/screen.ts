import type { Look } from './look.ts'

/** How far something is. */
export interface Progress {
  readonly label: string
  readonly done?: number | undefined
  readonly total?: number | undefined
  readonly message?: string | undefined
  /** Milliseconds that are left, by estimate. */
  readonly leftMs?: number | undefined
}

/** The one owner of an output: whoever has something to show gives it here. */
export interface Screen {
  /** Whether shown text can be taken back, and bars move. */
  readonly live: boolean
  /** Appends to the running text, which may end anywhere in a line. */
  write(text: string, look?: Look): void
  /** Takes back `text`, the end of what was written. Where that is impossible, it says so. */
  withdraw(text: string): void
  /** The running text is over: what follows begins on a line of its own. */
  endText(): void
  /** A line of its own, behind the running text, which it ends. */
  line(text: string, look?: Look): void
  /** A line about the running text, which goes on behind it. */
  notice(text: string, look?: Look): void
  /** How far the thing with this key is; undefined: it is over. */
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
