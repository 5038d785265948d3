import type { ToolOutcome, ToolResultContent } from '../events.ts'
import { isRecord } from '../messages.ts'

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
  /** The oldest entry with this name and an equal input, once; then the next one, and so on. Never a read-only one. */
  take(name: string, input: unknown): LedgerEntry | undefined
  readonly entries: readonly LedgerEntry[]
}

/** An empty ledger, in memory. */
export function createToolLedger(): ToolLedger {
  const entries: LedgerEntry[] = []
  const taken = new Set<LedgerEntry>()
  return {
    record: (entry) => void entries.push(entry),
    take(name, input) {
      const wanted = canonicalJson(input)
      const entry = entries.find(
        (each) => !taken.has(each) && !each.readOnly && each.name === name && canonicalJson(each.input) === wanted,
      )
      if (entry !== undefined) taken.add(entry)
      return entry
    },
    get entries() {
      return [...entries]
    },
  }
}

/** JSON with sorted keys: equal for equal inputs, however they were built. */
function canonicalJson(value: unknown): string {
  return (
    JSON.stringify(value, (_, field: unknown) =>
      isRecord(field) ? Object.fromEntries(Object.entries(field).toSorted(([a], [b]) => (a < b ? -1 : 1))) : field,
    ) ?? 'undefined'
  )
}
