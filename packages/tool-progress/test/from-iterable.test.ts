import type { ToolProgress } from '@millrace/core'
import { collect } from '@millrace/testing/async'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { fromIterable, fromStream } from '../src/index.ts'

test('passes items on, and counts them when they are done', async () => {
  const seen: ToolProgress[] = []
  const items = fromIterable(['a', 'b'], {
    progress: (report) => seen.push(report),
    message: (item, count) => `${item}${count}`,
  })
  expect(await collect(items)).toEqual(['a', 'b'])
  expect(seen).toEqual([
    { progress: 0, total: 2 },
    { progress: 1, total: 2, message: 'a1' },
    { progress: 2, total: 2, message: 'b2' },
  ])
})

test('knows the size of a set and a map, but not of a generator', async () => {
  for (const [items, total] of [
    [new Set([1]), 1],
    [new Map([[1, 1]]), 1],
    [
      (function* () {
        yield 1
      })(),
      undefined,
    ],
  ] as const) {
    const seen: ToolProgress[] = []
    await collect(fromIterable<unknown>(items, { progress: (report) => seen.push(report) }))
    expect(seen.at(-1)?.total).toBe(total)
  }
})

/** A source that yields one item and then hangs, and knows whether it was told to stop. */
function hanging(): { source: AsyncIterable<string>; stopped: () => boolean } {
  let stopped = false
  let given = false
  return {
    stopped: () => stopped,
    source: {
      [Symbol.asyncIterator]: () => ({
        next() {
          if (given) return new Promise<never>(() => {})
          given = true
          return Promise.resolve({ done: false, value: 'first' })
        },
        return() {
          stopped = true
          return Promise.resolve({ done: true, value: undefined })
        },
      }),
    },
  }
}

test('ends at once on abort, with its reason, although the source hangs', async () => {
  const controller = new AbortController()
  const { source, stopped } = hanging()
  const iterator = fromIterable(source, { progress: () => {}, signal: controller.signal })
  expect(await iterator.next()).toEqual({ done: false, value: 'first' })
  const pending = iterator.next()
  controller.abort(new Error('enough'))
  await expect(pending).rejects.toThrow('enough')
  expect(stopped()).toBe(true)
})

test('stops its source if the loop is left early', async () => {
  const { source, stopped } = hanging()
  const items = fromIterable(source, { progress: () => {} })
  await items.next()
  await items.return()
  expect(stopped()).toBe(true)
})

test('passes on an error of the source', async () => {
  const broken = (function* (): Generator<number> {
    yield 1
    throw new Error('broken')
  })()
  await expect(collect(fromIterable(broken, { progress: () => {} }))).rejects.toThrow('broken')
})

test('reads a stream to its end, in any pieces', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.string({ unit: 'binary' }),
      fc.integer({ min: 1, max: 7 }),
      fc.integer({ min: 1, max: 20 }),
      async (text, size, maxTail) => {
        const bytes = new TextEncoder().encode(text)
        const seen: number[] = []
        const stream = new ReadableStream<Uint8Array>({
          start(controller) {
            for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.subarray(at, at + size))
            controller.close()
          },
        })
        const summary = await fromStream(stream, { progress: ({ progress = 0 }) => seen.push(progress), maxTail })
        expect(summary.bytes).toBe(bytes.length)
        expect(text.endsWith(summary.tail)).toBe(true)
        expect(summary.tail).not.toMatch(/\p{Surrogate}/u)
        expect(summary.tail.length).toBeLessThanOrEqual(maxTail)
        expect(summary.truncated).toBe(text.length > maxTail)
        expect(seen).toEqual(seen.toSorted((a, b) => a - b))
      },
    ),
  )
})

test('cancels the stream on abort', async () => {
  const controller = new AbortController()
  let cancelled: unknown
  const stream = new ReadableStream<Uint8Array>({ cancel: (reason) => void (cancelled = reason) })
  const reading = fromStream(stream, { progress: () => {}, signal: controller.signal })
  const reason = new Error('enough')
  controller.abort(reason)
  await expect(reading).rejects.toBe(reason)
  expect(cancelled).toBe(reason)
})
