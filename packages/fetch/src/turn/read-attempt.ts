import type { Clock, MillraceError } from '@millrace/core'
import { linkedController } from '@millrace/core/kit'
import { asMillraceError, drainTime, fault, type SourceOptions } from '@millrace/core/recovery'
import type { Frame } from '../stream/frame-reader.ts'
import type { Outlet } from '../stream/outlet.ts'
import type { Attempt } from './attempt.ts'

export interface ReadOptions {
  readonly attempt: Attempt
  readonly open: (options: SourceOptions) => AsyncIterable<readonly Frame[]>
  readonly outlet: Pick<Outlet, 'flush' | 'ready'>
  readonly clock: Clock
  readonly signal: AbortSignal
}

export type AttemptEnd =
  | { readonly status: 'whole' }
  | { readonly status: 'interrupted' }
  | { readonly status: 'broken'; readonly error: MillraceError }

/** Reads one answer of upstream to its end, and sends what the client may have. Never rejects. */
export async function readAttempt(options: ReadOptions): Promise<AttemptEnd> {
  const { attempt, open, outlet, clock, signal } = options
  const link = linkedController(signal)
  let cancelLimit: (() => void) | undefined
  const ready = (): Promise<void> | undefined => (attempt.ended ? undefined : outlet.ready())
  try {
    for await (const frames of open({ signal: link.signal, ready, onDrain: () => {} })) {
      try {
        for (const frame of frames) attempt.take(frame)
      } catch (error) {
        // Leaving a stream lets its connection live on; this one must be closed.
        link.abort(error)
        throw error
      } finally {
        outlet.flush()
      }
      if (signal.aborted) break
      // The message is whole: what is still to come is sent if it comes soon.
      if (attempt.ended) cancelLimit ??= clock.setTimer(() => link.abort(fault('truncated')), drainTime)
    }
  } catch (error) {
    if (!attempt.whole) return signal.aborted ? interrupted : { status: 'broken', error: asMillraceError(error) }
  } finally {
    cancelLimit?.()
    link.dispose()
  }
  if (!attempt.whole) return signal.aborted ? interrupted : { status: 'broken', error: fault('truncated') }
  try {
    attempt.finish()
    return { status: 'whole' }
  } catch (error) {
    return { status: 'broken', error: asMillraceError(error) }
  } finally {
    outlet.flush()
  }
}

const interrupted = { status: 'interrupted' } as const
