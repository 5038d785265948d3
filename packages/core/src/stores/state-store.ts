export interface StateEntry {
  /** Plain JSON. A key is never removed: set `null` to empty it. */
  readonly value: unknown
  /** 1, 2, 3 … with each change of this key. */
  readonly version: number
}

export type SetResult =
  | { readonly status: 'set'; readonly version: number }
  | { readonly status: 'conflict'; readonly version: number }

/**
 * Small shared state: flag overrides, a rollout's plan and counts. Each method is one atomic step. Values under a key and
 * counters under a key are apart. Methods reject only where the store itself failed, or `invalid_input` for a value that
 * is no JSON or a number that is not finite.
 */
export interface StateStore {
  get(key: string): Promise<StateEntry | undefined>
  /** Sets `value` where the key is still at `expectedVersion` (0: where it does not exist). */
  set(key: string, value: unknown, expectedVersion: number): Promise<SetResult>
  /**
   * Adds each number to the counter of that name under `key`, and gives all counters of `key`. With `once` it adds only
   * the first time that this string is given for `key`, so that a unit is counted once however often it is seen.
   */
  add(key: string, counters: Readonly<Record<string, number>>, once?: string): Promise<Readonly<Record<string, number>>>
  /** The counters of `key`; empty where nothing was added. */
  counters(key: string): Promise<Readonly<Record<string, number>>>
  /** Forgets the counters of `key` and what was given as `once` for it. */
  clearCounters(key: string): Promise<void>
  /** Yields the entry now, and again whenever it has changed, until `signal` aborts. Changes may be skipped, never the last. */
  watch(key: string, signal: AbortSignal): AsyncIterable<StateEntry | undefined>
}
