export interface StateEntry {
  /** Plain JSON. */
  readonly value: unknown
  /** Grows with each change of this key. */
  readonly version: number
}

export type SetResult =
  | { readonly status: 'set'; readonly version: number }
  | { readonly status: 'conflict'; readonly version: number }

/** Small shared state: flag overrides, a rollout's plan and counts. Each method is one atomic step. */
export interface StateStore {
  get(key: string): Promise<StateEntry | undefined>
  /** Sets `value` where the key is still at `expectedVersion` (0: where it does not exist). */
  set(key: string, value: unknown, expectedVersion: number): Promise<SetResult>
  /** Adds each number to the counter of that name under `key`, and gives all counters of `key`. */
  add(key: string, counters: Readonly<Record<string, number>>): Promise<Readonly<Record<string, number>>>
  /** The counters of `key`; empty where nothing was added. */
  counters(key: string): Promise<Readonly<Record<string, number>>>
  /** Yields the entry now, and again whenever it has changed, until `signal` aborts. Changes may be skipped, never the last. */
  watch(key: string, signal: AbortSignal): AsyncIterable<StateEntry | undefined>
}
