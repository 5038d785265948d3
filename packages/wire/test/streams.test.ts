import type { AgentEvent } from '@millrace/core'
import { collect, macrotask, manualClock } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { encodeStream, sseEncoder } from '../src/index.ts'
import { withHeartbeat } from '../src/with-heartbeat.ts'

function deltas(count: number): AgentEvent[] {
  return Array.from({ length: count }, (_, index) => ({
    type: 'text.delta',
    seq: index + 1,
    runId: 'run',
    at: 1,
    turn: 1,
    attempt: 1,
    block: 0,
    text: 'ab',
  }))
}

/** A source that is fed by hand, as a socket is: what is pushed together arrives together. */
function handFed<Item>() {
  const items: Item[] = []
  const end: { isReached: boolean; failure: Error | undefined } = { isReached: false, failure: undefined }
  let wake: () => void = () => undefined
  const seen = { pulls: 0, returned: 0 }
  const source: AsyncIterable<Item> = {
    [Symbol.asyncIterator]: () => ({
      async next() {
        seen.pulls++
        while (items.length === 0 && !end.isReached) await new Promise<void>((resolve) => (wake = resolve))
        const value = items.shift()
        if (value !== undefined) return { done: false, value }
        if (end.failure) throw end.failure
        return { done: true, value: undefined }
      },
      async return() {
        seen.returned++
        return { done: true, value: undefined }
      },
    }),
  }
  return {
    source,
    seen,
    push(...more: Item[]) {
      items.push(...more)
      wake()
    },
    end(error?: Error) {
      end.failure = error
      end.isReached = true
      wake()
    },
  }
}

describe('withHeartbeat', () => {
  it('beats while it is quiet, and only then, with one timer however much passes', async () => {
    const clock = manualClock()
    let timers = 0
    const counting = {
      now: () => clock.now(),
      setTimer(fire: () => void, ms: number) {
        timers++
        return clock.setTimer(fire, ms)
      },
    }
    const fed = handFed<number>()
    const beats = collect(withHeartbeat(fed.source, { clock: counting, everyMs: 100, signal: undefined }))
    for (let value = 1; value <= 50; value++) {
      fed.push(value)
      await macrotask()
      clock.advance(1)
    }
    clock.advance(99)
    await macrotask()
    clock.advance(1)
    await macrotask()
    clock.advance(100)
    await macrotask()
    fed.push(51)
    fed.end()
    const quiet = (await beats).map((beat, index) => (beat.quiet ? index : -1)).filter((index) => index >= 0)
    expect(quiet).toEqual([50, 51])
    expect(timers).toBeLessThanOrEqual(5)
    expect(clock.pending).toBe(0)
  })

  it('ends at once when its signal aborts, and leaves no timer, even where the source is stuck', async () => {
    const clock = manualClock()
    const fed = handFed<number>()
    const leaving = new AbortController()
    const beats = collect(withHeartbeat(fed.source, { clock, everyMs: 100, signal: leaving.signal }))
    await macrotask()
    leaving.abort()
    expect(await beats).toEqual([])
    expect([fed.seen.returned, clock.pending]).toEqual([1, 0])
  })

  const cut = new Error('cut')
  it.each([
    ['a value', undefined, { done: false, value: { quiet: false, value: 1 } }],
    ['a failure', cut, cut],
  ])('keeps %s that comes while nobody waits, after a beat', async (_name, failure, expected) => {
    const clock = manualClock()
    const fed = handFed<number>()
    const beats = withHeartbeat(fed.source, { clock, everyMs: 100, signal: undefined })
    const first = beats.next()
    clock.advance(100)
    expect(await first).toEqual({ done: false, value: { quiet: true } })
    if (failure === undefined) fed.push(1)
    else fed.end(failure)
    await macrotask()
    expect(await beats.next().catch((error: unknown) => error)).toEqual(expected)
    expect(fed.seen.pulls).toBe(1)
    await beats.return?.()
    expect(clock.pending).toBe(0)
  })

  it('leaves no timer when the reader leaves, or the source fails', async () => {
    const clock = manualClock()
    const fed = handFed<number>()
    fed.push(1)
    for await (const beat of withHeartbeat(fed.source, { clock, everyMs: 100, signal: undefined })) {
      expect(beat.quiet).toBe(false)
      break
    }
    const broken = handFed<number>()
    broken.end(new Error('cut'))
    await expect(collect(withHeartbeat(broken.source, { clock, everyMs: 100, signal: undefined }))).rejects.toThrow(
      'cut',
    )
    expect([fed.seen.returned, clock.pending]).toEqual([1, 0])
  })
})

describe('encodeStream', () => {
  it('writes once for each batch, after the opening', async () => {
    const fed = handFed<readonly AgentEvent[]>()
    const all = deltas(300)
    fed.push(all.slice(0, 100), all.slice(100, 300))
    fed.end()
    const chunks = await collect(encodeStream(sseEncoder(), fed.source))
    expect(chunks).toHaveLength(3)
  })

  it('reads no further than its own reader', async () => {
    const fed = handFed<readonly AgentEvent[]>()
    fed.push(...Array.from({ length: 100 }, () => deltas(1)))
    const iterator = encodeStream(sseEncoder(), fed.source)[Symbol.asyncIterator]()
    await iterator.next()
    await iterator.next()
    await macrotask()
    expect(fed.seen.pulls).toBe(1)
  })

  it('writes a heartbeat as a comment, and nothing after an abort', async () => {
    const clock = manualClock()
    const fed = handFed<readonly AgentEvent[]>()
    const leaving = new AbortController()
    const options = { clock, heartbeatMs: 100, signal: leaving.signal }
    const encoder = { ...sseEncoder(), close: () => 'the end' }
    const chunks = collect(encodeStream(encoder, fed.source, options))
    await macrotask()
    clock.advance(100)
    await macrotask()
    leaving.abort()
    const texts = (await chunks).map((chunk) => new TextDecoder().decode(chunk))
    expect(texts).toEqual(['retry: 1000\n\n', ':\n\n'])
  })

  it('writes what stands after the last event', async () => {
    const fed = handFed<readonly AgentEvent[]>()
    fed.end()
    const encoder = { ...sseEncoder(), open: () => '', close: () => 'the end' }
    expect(await collect(encodeStream(encoder, fed.source))).toEqual([new TextEncoder().encode('the end')])
  })
})
