import type { LedgerEntry, ToolLedger } from '../run/tool-ledger.ts'
import { isRecord } from '../kit/guards.ts'

/** An empty ledger, in memory. */
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
      // A loop that retries what failed would otherwise make a call whose first effect may still be there.
      const entry = equal.find((each) => !taken.has(each)) ?? equal.findLast(({ outcome }) => outcome === 'unknown')
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
