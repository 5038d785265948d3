import { MillraceError } from '../kit/errors.ts'
import type { EventBody, RunMoving } from '../protocol/events.ts'
import type { MoveOptions, RunResult } from './run.ts'

/** Moves a run to another process. */
export interface Move {
  ask(options: MoveOptions): void
  /** Whether the run stops at the end of its turn. */
  isAsked(): boolean
  /** Called once it is known whether the run is recorded; at the latest with its first event. */
  begin(): void
  /**
   * Whether an event is still sent. After a stop in the middle of a turn the loop unwinds as if interrupted, which the other
   * process does not: only the calls count whose effect is known.
   */
  admits(event: EventBody): boolean
  /** Returns a rejection once nothing new may start here. */
  check(): Promise<never> | undefined
  /** Returns how the run leaves this process; undefined if it ends here. */
  departure(result: RunResult): { readonly event: RunMoving; readonly error: MillraceError } | undefined
}

export interface MoveContext {
  readonly controller: AbortController
  readonly interrupt: (reason: string) => void
  /** Whether the run is recorded, so that another process can take it. */
  readonly isDurable: () => boolean
}

export function createMove({ controller, interrupt, isDurable }: MoveContext): Move {
  const { signal } = controller
  let asked: MoveOptions | undefined
  /** Stopped in the middle of a turn. */
  let stopped = false
  let begun = false
  let isLegacy = false
  const error = new MillraceError('run_moved', 'another process goes on with this run', { retryable: true })
  const canMove = (): boolean => isDurable() && !isLegacy

  /** Before it has begun, a run is being stored, and it is not known whether it can move. */
  function stopIfAsked(): void {
    if (asked?.now !== true || !begun || signal.aborted) return
    if (!canMove()) return interrupt('the process is shutting down')
    stopped = true
    controller.abort(error)
  }

  function begin(): void {
    if (begun) return
    begun = true
    stopIfAsked()
  }

  return {
    begin,
    ask({ retryMs, now = false }) {
      asked = { retryMs, now: now || asked?.now === true }
      stopIfAsked()
    },
    isAsked: () => asked !== undefined && canMove(),
    admits(event) {
      begin()
      isLegacy ||= event.type === 'turn.started' && event.mode === 'legacy'
      return !stopped || (event.type === 'tool.finished' && known.has(event.outcome))
    },
    check: () => (stopped ? Promise.reject(error) : undefined),
    departure({ outcome }) {
      const leaves = stopped || (asked !== undefined && canMove() && outcome === 'interrupted' && !signal.aborted)
      return leaves && asked !== undefined
        ? { event: { type: 'run.moving', retryMs: asked.retryMs }, error }
        : undefined
    },
  }
}

/** The outcomes of calls that no other process has to settle. */
const known: ReadonlySet<string> = new Set(['ok', 'error', 'timeout'])
