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
  /** In which at least 32 characters or a whole block must arrive, whatever else does. */
  readonly contentTimeout: number
  /**
   * Characters a second. A stream that sends fewer in the 30 s after a character, without ending a block, counts as broken.
   * 0: any stream is fast enough.
   */
  readonly minThroughput: number
}

/** About eight tokens: less in a whole `contentTimeout` is a stream that goes nowhere. */
const leastContent = 32

/** Milliseconds over which a throughput is measured, so that a model may hesitate. */
const throughputSpan = 30_000

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
  /** So many characters have arrived; Infinity for an event that begins or ends something. */
  content(characters: number): void
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
  let armedFor = Infinity
  let cancel: CancelTimer | undefined
  const content = createMeter(limits.contentTimeout, leastContent)
  const throughput = createMeter(throughputSpan, (limits.minThroughput * throughputSpan) / 1_000)

  /** The next deadline and what passing it means. */
  function deadline(): { readonly at: number; readonly code: FaultCode } {
    if (!isConnected) return { at: lastByte + limits.connectTimeout, code: 'connect_timeout' }
    const idle = lastByte + (pinged ? limits.idleTimeout : limits.idleTimeoutWithoutPings)
    const slow = Math.min(content.deadline(), throughput.deadline())
    return idle <= slow ? { at: idle, code: 'idle_timeout' } : { at: slow, code: 'content_timeout' }
  }

  function arm(): void {
    cancel?.()
    armedFor = deadline().at
    cancel = clock.setTimer(check, Math.max(1, armedFor - clock.now()))
  }

  function check(): void {
    cancel = undefined
    if (paused) return
    const { at, code } = deadline()
    if (clock.now() >= at) expire(fault(code))
    else arm()
  }

  /** Forgets the silence so far. */
  function startAfresh(): void {
    lastByte = clock.now()
    content.restart(lastByte)
    throughput.restart()
  }

  arm()
  return {
    connected() {
      isConnected = true
      startAfresh()
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
    content(characters) {
      const now = clock.now()
      if (content.add(characters, now)) content.restart(now)
      if (throughput.add(characters, now)) throughput.restart()
      // The first character after a pause begins a span that may end before the timer fires.
      if (throughput.deadline() < armedFor) arm()
    },
    pause() {
      paused = true
    },
    resume() {
      paused = false
      startAfresh()
      if (cancel === undefined) arm()
    },
    stop() {
      cancel?.()
      cancel = undefined
    },
  }
}

interface Meter {
  /** Adds characters. Returns whether enough have arrived in this span. */
  add(characters: number, now: number): boolean
  /** Begins another span: now, or with the next character. */
  restart(now?: number): void
  /** When the span ends; Infinity for one that has not begun. */
  deadline(): number
}

/** Counts whether `needed` characters arrive in each span of time. */
function createMeter(span: number, needed: number): Meter {
  let start: number | undefined
  let count = 0
  return {
    add(characters, now) {
      start ??= now
      count += characters
      return count >= needed
    },
    restart(now) {
      start = now
      count = 0
    },
    deadline: () => (start ?? Infinity) + span,
  }
}
