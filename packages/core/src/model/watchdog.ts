import type { FaultCode, MillraceError } from '../kit/errors.ts'
import { fault } from '../protocol/faults.ts'
import type { CancelTimer, Clock } from '../kit/clock.ts'

/** Milliseconds of silence after which a stream counts as dead. */
export interface WatchdogLimits {
  /** From the request to the answer's headers. */
  readonly connectTimeout: number
  /** Without a byte, once a ping was seen: the API sends one every 15 to 30 s. */
  readonly idleTimeout: number
  /** Without a byte, as long as no ping was seen: the longest observed gap of a healthy stream is 138 s. */
  readonly idleTimeoutWithoutPings: number
  /** With pings but without content. */
  readonly contentTimeout: number
}

/**
 * Watches one attempt, with one timer however many bytes pass: a sign of life only notes the time, and the timer looks
 * at the notes when it fires.
 */
export interface Watchdog {
  /** The headers have arrived. */
  connected(): void
  /** Bytes have arrived. */
  alive(): void
  ping(): void
  content(): void
  /** Nobody reads now: the silence is ours. `resume` starts afresh. */
  pause(): void
  resume(): void
  stop(): void
}

export function createWatchdog(clock: Clock, limits: WatchdogLimits, expire: (error: MillraceError) => void): Watchdog {
  let isConnected = false
  let pinged = false
  let paused = false
  let lastByte = clock.now()
  let lastContent = lastByte
  let cancel: CancelTimer | undefined

  /** The next deadline and what passing it means. */
  function deadline(): { readonly at: number; readonly code: FaultCode } {
    if (!isConnected) return { at: lastByte + limits.connectTimeout, code: 'connect_timeout' }
    const idle = lastByte + (pinged ? limits.idleTimeout : limits.idleTimeoutWithoutPings)
    const content = lastContent + limits.contentTimeout
    return idle <= content ? { at: idle, code: 'idle_timeout' } : { at: content, code: 'content_timeout' }
  }

  function arm(): void {
    cancel?.()
    const { at } = deadline()
    cancel = clock.setTimer(check, Math.max(1, at - clock.now()))
  }

  function check(): void {
    cancel = undefined
    if (paused) return
    const { at, code } = deadline()
    if (clock.now() >= at) expire(fault(code))
    else arm()
  }

  arm()
  return {
    connected() {
      isConnected = true
      lastByte = clock.now()
      lastContent = lastByte
      arm()
    },
    alive() {
      lastByte = clock.now()
    },
    ping() {
      if (pinged) return
      pinged = true
      arm()
    },
    content() {
      lastContent = clock.now()
    },
    pause() {
      paused = true
    },
    resume() {
      paused = false
      lastByte = clock.now()
      lastContent = lastByte
      if (cancel === undefined) arm()
    },
    stop() {
      cancel?.()
      cancel = undefined
    },
  }
}
