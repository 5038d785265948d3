import type { Clock, StateStore } from '@millrace/core'
import { systemClock } from '@millrace/core'
import { changeFlag, changeStateFlags, defaultStateKey, type FlagDocument, readFlagDocument } from '@millrace/flags'
import type { Exposure } from '../control/state.ts'

/** Who is to stream, as a flag source must be told. */
export interface TargetExposure extends Exposure {
  readonly flag: string
  readonly salt: string
  /** Grows with each change. A write with a smaller one than the last is late, and must change nothing. */
  readonly epoch: number
  /** One sentence, for the flag's own history. */
  readonly reason: string
}

/**
 * Where a rollout sets the percentage. `apply` is called at each look, by every controller, with what the state says; it
 * does nothing if that is set already. So a controller that dies before it has written is made up for by the next look.
 */
export interface RolloutTarget {
  readonly apply: (exposure: TargetExposure, signal: AbortSignal) => Promise<void>
}

export interface StateTargetOptions {
  readonly store: StateStore
  /** The key that `stateFlags` reads. Default: `millrace:flags`. */
  readonly key?: string
  /** Default: the system's. */
  readonly clock?: Clock
}

/** The metadata in which a flag keeps the epoch that set it. */
const epochField = 'rolloutEpoch'

/** Sets the percentage in the flags of a `StateStore`, which `stateFlags` of `@millrace/flags` reads. */
export function stateTarget({ store, key = defaultStateKey, clock = systemClock }: StateTargetOptions): RolloutTarget {
  return {
    async apply(exposure, signal) {
      const entry = await store.get(key)
      const read = readFlagDocument(entry?.value ?? { flags: {} })
      if (read.status === 'read' && isApplied(read.document, exposure)) return
      await changeStateFlags({ store, key, by: 'rollout', reason: exposure.reason, signal, clock }, (document) =>
        isApplied(document, exposure) ? document : withExposure(document, exposure),
      )
    },
  }
}

/** Returns whether a document has this exposure, or that of a later epoch. */
function isApplied(document: FlagDocument, { flag, percent, segments, salt, epoch }: TargetExposure): boolean {
  const found = Object.hasOwn(document.flags, flag) ? document.flags[flag] : undefined
  const written = found?.metadata?.[epochField]
  if (typeof written === 'number' && written > epoch) return true
  const { rollout } = found ?? {}
  return (
    written === epoch &&
    rollout?.percent === percent &&
    rollout.bucketing?.salt === salt &&
    JSON.stringify(rollout.include ?? []) === JSON.stringify(segments)
  )
}

function withExposure(document: FlagDocument, exposure: TargetExposure): FlagDocument {
  const { flag, percent, segments, salt, epoch } = exposure
  const changed = changeFlag(document, flag, { percent, include: segments, salt })
  const definition = changed.flags[flag]
  if (definition === undefined) return changed
  const metadata = { ...definition.metadata, [epochField]: epoch }
  return { ...changed, flags: { ...changed.flags, [flag]: { ...definition, metadata } } }
}

export interface CallbackTargetOptions {
  /** Writes to a flag service or a file. A rejection is reported, and it is called again at the next look. */
  readonly write: (exposure: TargetExposure, signal: AbortSignal) => Promise<void> | void
  /** Milliseconds after which the same exposure is written again, in case another writer changed it. Default: 300,000. */
  readonly every?: number
  readonly clock?: Clock
}

/** Sets the percentage by a function of yours: for a flag service, or a flag file. */
export function callbackTarget({ write, every = 300_000, clock = systemClock }: CallbackTargetOptions): RolloutTarget {
  let last: { readonly epoch: number; readonly at: number } | undefined
  return {
    async apply(exposure, signal) {
      const age = clock.now() - (last?.at ?? -Infinity)
      if (last?.epoch === exposure.epoch && age >= 0 && age < every) return
      // Forgotten first: after a failure nobody knows what is set.
      last = undefined
      await write(exposure, signal)
      last = { epoch: exposure.epoch, at: clock.now() }
    },
  }
}
