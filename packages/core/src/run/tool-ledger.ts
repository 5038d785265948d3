import type { ToolOutcome, ToolResultContent } from '../protocol/events.ts'

/** One executed call. */
export interface LedgerEntry {
  readonly name: string
  readonly input: unknown
  readonly toolUseId: string
  readonly idempotencyKey: string
  readonly outcome: ToolOutcome
  readonly readOnly: boolean
  /** What the model was told. */
  readonly result: ToolResultContent
  /** What the tool gave, where it ran in this process. */
  readonly output?: unknown
  /** What the tool threw, where it did. */
  readonly error?: unknown
}

/** The calls that a run has executed, for a loop that starts over and must not repeat them. */
export interface ToolLedger {
  record(entry: LedgerEntry): void
  /**
   * Returns the oldest entry with this name and an equal input, once; then the next one, and so on. When all of them have
   * been taken, one of unknown outcome is returned again, so that its call is never made a second time. Read-only entries
   * are never returned.
   */
  take(name: string, input: unknown): LedgerEntry | undefined
  readonly entries: readonly LedgerEntry[]
}
