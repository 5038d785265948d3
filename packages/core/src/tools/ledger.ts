import type { LedgerEntry, ToolLedger } from '../run/tool-ledger.ts'
import { isRecord } from '../kit/guards.ts'

/** Creates an empty ledger in memory. */
export function createToolLedger(): ToolLedger {
  const entries: LedgerEntry[] = []
  const taken = new Set<LedgerEntry>()
  return {
    record: (entry) => void entries.push(entry),
    take(name, input) {
      const wanted = canonicalJson(input)
      const equal = entries.filter(
        (each) => !each.readOnly && each.name === name && canonicalJson(each.input) === wanted,
      )
      // Otherwise a loop that retries would repeat a call that may have taken effect.
      const entry = equal.find((each) => !taken.has(each)) ?? equal.findLast(({ outcome }) => outcome === 'unknown')
      if (entry !== undefined) taken.add(entry)
      return entry
    },
    get entries() {
      return [...entries]
    },
  }
}

/** Returns JSON with sorted keys, so that equal inputs give equal text. */
function canonicalJson(value: unknown): string {
  return (
    JSON.stringify(value, (_, field: unknown) =>
      isRecord(field) ? Object.fromEntries(Object.entries(field).toSorted(([a], [b]) => (a < b ? -1 : 1))) : field,
    ) ?? 'undefined'
  )
}
