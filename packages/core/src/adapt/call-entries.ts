import type { CancelTimer, Clock } from '../kit/clock.ts'
import { MillraceError } from '../kit/errors.ts'
import { isRecord } from '../kit/guards.ts'
import type { StateStore } from '../stores/state-store.ts'

/** What is stored of one call. */
export type CallEntry =
  /** Nobody makes it, and it did not happen. */
  | { readonly state: 'free' }
  /** It is being made by a process that was alive at `at`, in milliseconds since the epoch. */
  | { readonly state: 'started'; readonly at: number }
  | { readonly state: 'done'; readonly json: string }
  | { readonly state: 'unknown' }

/** How a call stands that nobody is making. */
export type SettledEntry = Exclude<CallEntry, { readonly state: 'started' }>

export interface CallEntries {
  /** Waits for a call that is being made. One whose process is dead is of unknown outcome. */
  settled(key: string): Promise<{ readonly entry: SettledEntry; readonly version: number }>
  /** Begins a call that is still at `version`; undefined where somebody else has. */
  start(key: string, version: number): Promise<StartedCall | undefined>
  /** False where the call is no longer at `version`. */
  replace(key: string, version: number, entry: SettledEntry): Promise<boolean>
}

export interface StartedCall {
  /** Stores how it ended. Never rejects: what could not be stored is of unknown outcome once the lease is over. */
  end(entry: SettledEntry): Promise<void>
}

export interface CallEntriesOptions {
  readonly store: StateStore
  readonly clock: Clock
  readonly leaseMs: number
}

export function callEntries({ store, clock, leaseMs }: CallEntriesOptions): CallEntries {
  async function read(key: string): Promise<{ readonly entry: CallEntry; readonly version: number }> {
    const stored = await store.get(stateKey(key))
    if (stored === undefined) return { entry: { state: 'free' }, version: 0 }
    return { entry: parseEntry(key, stored.value), version: stored.version }
  }

  async function write(key: string, version: number, entry: CallEntry): Promise<number | undefined> {
    const result = await store.set(stateKey(key), entry, version)
    return result.status === 'set' ? result.version : undefined
  }

  /** Resolves when the entry has another version, or after `ms` milliseconds. */
  async function changed(key: string, version: number, ms: number): Promise<void> {
    const over = new AbortController()
    const cancel = clock.setTimer(() => over.abort(), ms)
    try {
      for await (const entry of store.watch(stateKey(key), over.signal)) if (entry?.version !== version) return
    } finally {
      cancel()
      over.abort()
    }
  }

  /** After its lease somebody may have said what they found. That the call has happened is then still worth knowing. */
  async function endLate(key: string, entry: SettledEntry): Promise<void> {
    const found = await read(key)
    if (found.entry.state === 'started' || found.entry.state === 'done') return
    if (entry.state === 'done') await write(key, found.version, entry)
  }

  function keepAlive(key: string, first: number): StartedCall {
    let version = first
    let cancel: CancelTimer = () => {}
    let beating: Promise<void> = Promise.resolve()
    let hasEnded = false

    async function beat(): Promise<void> {
      try {
        const next = await write(key, version, { state: 'started', at: clock.now() })
        // Taken for dead: nothing that it says from here on is the last word.
        if (next === undefined) return
        version = next
      } catch {
        // A store that is away for a moment is asked again while the lease lasts.
      }
      if (!hasEnded) cancel = clock.setTimer(again, leaseMs / 3)
    }

    function again(): void {
      beating = beat()
    }

    cancel = clock.setTimer(again, leaseMs / 3)
    return {
      async end(entry) {
        hasEnded = true
        cancel()
        await beating
        cancel()
        try {
          if ((await write(key, version, entry)) === undefined) await endLate(key, entry)
        } catch {
          // It stays begun, without a sign of life.
        }
      },
    }
  }

  return {
    async settled(key) {
      for (;;) {
        const { entry, version } = await read(key)
        if (entry.state !== 'started') return { entry, version }
        const left = entry.at + leaseMs - clock.now()
        if (left <= 0) return { entry: { state: 'unknown' }, version }
        await changed(key, version, left)
      }
    },
    async start(key, version) {
      const started = await write(key, version, { state: 'started', at: clock.now() })
      return started === undefined ? undefined : keepAlive(key, started)
    },
    async replace(key, version, entry) {
      return (await write(key, version, entry)) !== undefined
    },
  }
}

function stateKey(key: string): string {
  return `call:${key}`
}

function parseEntry(key: string, value: unknown): CallEntry {
  if (isRecord(value)) {
    const { state, at, json } = value
    if (state === 'free' || state === 'unknown') return { state }
    if (state === 'started' && typeof at === 'number') return { state, at }
    if (state === 'done' && typeof json === 'string') return { state, json }
  }
  throw new MillraceError('invalid_input', `the state key "${stateKey(key)}" holds something that is no call`)
}
