import type { LedgerEntry, ToolLedger } from '../run/tool-ledger.ts'

/** What a legacy loop that starts over is surrounded by. */
export interface LegacyScope {
  readonly ledger: ToolLedger
  /** Told of each call that was answered from the ledger. */
  readonly onReuse: (entry: LedgerEntry) => void
}

/**
 * Carries a value along asynchronous calls. Node's, Bun's, Deno's and workers' `AsyncLocalStorage` is one; core has no
 * such thing of its own, since it imports nothing of a runtime.
 */
export interface AsyncScope {
  run<T>(value: LegacyScope, body: () => T): T
  getStore(): LegacyScope | undefined
}
