import { isMillraceError } from '@millrace/core'
import { ndjsonDecoder, sseDecoder } from '@millrace/wire'
import { PassThrough, Readable, Writable } from 'node:stream'
import { text as readText } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { eventTransform, runToReadable } from '../src/index.ts'
import { delta, runOf, untilAborted } from './support/runs.ts'

const helloRun = () =>
  runOf(({ emit }) => {
    emit(delta('Hello '))
    emit(delta('world'))
    emit(delta('again', { turn: 2 }))
  })

test('a run is a stream of bytes in every format', async () => {
  const sse = await readText(runToReadable(helloRun()))
  expect(sseDecoder().push(Buffer.from(sse))).toHaveLength(4)
  const ndjson = await readText(runToReadable(helloRun(), { format: 'ndjson' }))
  expect(ndjsonDecoder().push(Buffer.from(ndjson))).toHaveLength(4)
  expect(await readText(runToReadable(helloRun(), { format: 'ui-message-stream' }))).toContain('[DONE]')
  expect(await readText(runToReadable(helloRun(), { format: 'ag-ui' }))).toContain('RUN_FINISHED')
  expect(await readText(runToReadable(helloRun(), { format: 'text' }))).toBe('Hello world\n\nagain')
})

test('pipeline takes it to any Writable', async () => {
  const sink = new PassThrough()
  const done = pipeline(runToReadable(helloRun(), { format: 'text' }), sink)
  expect(await readText(sink)).toBe('Hello world\n\nagain')
  await done
})

test('destroys a text stream if sent text is retracted, but not if only unsent text is', async () => {
  const retracted = (fromBlock: number, fromOffset: number) =>
    runOf(({ emit }) => {
      emit(delta('Hello'))
      emit({ type: 'turn.retracted', turn: 1, attempt: 1, fromBlock, fromOffset, reason: 'connection_lost' })
    })
  for (const [block, offset] of [
    [0, 0],
    [0, 3],
  ] as const) {
    const error: unknown = await readText(runToReadable(retracted(block, offset), { format: 'text' })).catch((e) => e)
    expect(isMillraceError(error, 'cannot_retract')).toBe(true)
  }
  for (const [block, offset] of [
    [0, 5],
    [1, 0],
  ] as const) {
    expect(await readText(runToReadable(retracted(block, offset), { format: 'text' }))).toBe('Hello')
  }
})

test('a destination that does not take any more holds the run up', async () => {
  let held = 0
  const run = runOf(async ({ emit, ready }, signal) => {
    for (let sent = 0; sent < 10_000 && !signal.aborted; sent++) {
      emit(delta('x'.repeat(1_000)))
      await new Promise((resolve) => setImmediate(resolve))
      if (ready() !== undefined) held++
      await ready()
    }
  })
  const stuck = new Writable({ write: () => undefined })
  const done = pipeline(runToReadable(run), stuck).catch(() => undefined)
  await expect.poll(() => held).toBe(1)
  stuck.destroy()
  run.interrupt()
  await done
  expect(await run.result).toMatchObject({ outcome: 'interrupted' })
})

test('destroying it leaves the run alone, also while nothing comes', async () => {
  const run = runOf((_script, signal) => untilAborted(signal))
  const stream = runToReadable(run)
  stream.resume()
  await new Promise((resolve) => stream.once('data', resolve))
  const closed = new Promise((resolve) => stream.once('close', resolve))
  stream.destroy()
  await closed
  run.interrupt('enough')
  expect(await run.result).toMatchObject({ outcome: 'interrupted' })
})

test('a transform takes events and gives bytes', async () => {
  const bytes = await readText(Readable.from(helloRun()).pipe(eventTransform({ format: 'ndjson' })))
  expect(ndjsonDecoder().push(Buffer.from(bytes))).toHaveLength(4)
})

test('a transform refuses what is no event', async () => {
  const done = pipeline(Readable.from([{ type: 'text.delta' }]), eventTransform(), new PassThrough())
  await expect(done).rejects.toMatchObject({ code: 'invalid_input' })
})

test('a transform shows that it lives, with one timer, and stops when it is destroyed', async () => {
  let now = 0
  const timers = new Map<number, () => void>()
  const clock = {
    now: () => now,
    setTimer(fire: () => void) {
      const id = timers.size + now
      timers.set(id, fire)
      return () => void timers.delete(id)
    },
  }
  const transform = eventTransform({ clock, heartbeat: 1_000 })
  const chunks: string[] = []
  transform.on('data', (chunk) => void chunks.push(String(chunk)))
  await expect.poll(() => chunks).toEqual(['retry: 1000\n\n'])
  now += 1_000
  const [[id, fire] = [0, () => undefined]] = timers
  timers.delete(id)
  fire()
  await expect.poll(() => chunks).toEqual(['retry: 1000\n\n', ':\n\n'])
  expect(timers.size).toBe(1)
  transform.destroy()
  await expect.poll(() => timers.size).toBe(0)
})

test('an unknown format is refused by name', () => {
  const options = JSON.parse('{"format":"xml"}')
  expect(() => runToReadable(helloRun(), options)).toThrow(expect.objectContaining({ path: 'format' }))
  expect(() => eventTransform(options)).toThrow(expect.objectContaining({ path: 'format' }))
})

test.each([
  ['unknown_option', 'beat', { beat: 1 }],
  ['invalid_option', 'heartbeat', { heartbeat: 0 }],
  ['invalid_option', 'format', { format: 'xml' }],
  ['invalid_option', 'options', 'sse'],
])('%s %s is refused', (code, path, options) => {
  const error = expect.objectContaining({ code, path })
  // As JavaScript may call it.
  expect(() => Reflect.apply(runToReadable, undefined, [helloRun(), options])).toThrow(error)
  expect(() => Reflect.apply(eventTransform, undefined, [options])).toThrow(error)
})

test('what is no run is refused', () => {
  for (const run of [undefined, {}, helloRun().result, { run: helloRun }]) {
    const error = expect.objectContaining({ code: 'invalid_option', path: 'run' })
    expect(() => Reflect.apply(runToReadable, undefined, [run])).toThrow(error)
  }
})
