import { largeText, text, toolUse } from '@millrace/testing'
import { deferred } from '@millrace/testing/async'
import { describe, expect, it } from 'vitest'
import { createEventChannel } from '../../src/run/event-channel.ts'
import { type AgentEvent, defineTool } from '../../src/index.ts'
import { agentOn, claudeFor, eventsOf, question } from '../support/scripted.ts'

const event = (seq: number): AgentEvent => ({
  type: 'text.delta',
  seq,
  runId: 'run-1',
  at: 0,
  turn: 1,
  attempt: 1,
  block: 0,
  text: 'x',
})

async function read(iterator: AsyncIterator<AgentEvent>, count: number): Promise<number[]> {
  const seqs: number[] = []
  while (seqs.length < count) {
    const { done, value } = await iterator.next()
    if (done === true) break
    seqs.push(value.seq)
  }
  return seqs
}

const upTo = (end: number, from = 1): number[] => Array.from({ length: end - from + 1 }, (_each, index) => from + index)

describe('readers of a channel', () => {
  it('each see every event, whatever their pace', async () => {
    const channel = createEventChannel()
    const quick = channel[Symbol.asyncIterator]()
    const slow = channel[Symbol.asyncIterator]()
    channel.push([event(1)])
    const [ofQuick, ofSlow] = await Promise.all([read(quick, 1), read(slow, 1)])
    const seen = { quick: ofQuick, slow: ofSlow }
    for (const seq of upTo(300, 2)) {
      channel.push([event(seq)])
      seen.quick.push(...(await read(quick, 1)))
      if (seq % 10 === 0) seen.slow.push(...(await read(slow, 3)))
    }
    channel.close()
    seen.slow.push(...(await read(slow, 1_000)))
    expect(seen.quick).toEqual(upTo(300))
    expect(seen.slow).toEqual(upTo(300))
    expect(await quick.next()).toEqual({ done: true, value: undefined })
  })

  it('may come late: what was before is kept, up to 10,000 events', async () => {
    const channel = createEventChannel()
    for (const seq of upTo(10_000)) channel.push([event(seq)])
    expect(await read(channel[Symbol.asyncIterator](), 10_000)).toEqual(upTo(10_000))
  })

  it('that come too late are told what they have missed, at once', async () => {
    const channel = createEventChannel()
    for (const seq of upTo(10_001)) channel.push([event(seq)])
    await expect(channel[Symbol.asyncIterator]().next()).rejects.toMatchObject({
      name: 'MillraceError',
      code: 'events_missed',
      message: expect.stringContaining('10001 events'),
    })
  })

  it('may be made early and begin late: what others have read is kept for them, and they hold nothing up', async () => {
    const channel = createEventChannel()
    const late = channel[Symbol.asyncIterator]()
    const quick = channel[Symbol.asyncIterator]()
    for (const seq of upTo(500)) {
      channel.push([event(seq)])
      await read(quick, 1)
    }
    expect(channel.ready(new AbortController().signal)).toBeUndefined()
    expect(await read(late, 500)).toEqual(upTo(500))
  })

  it('that are made early and begin after 10,000 events have missed them, too', async () => {
    const channel = createEventChannel()
    const late = channel[Symbol.asyncIterator]()
    const quick = channel[Symbol.asyncIterator]()
    for (const seq of upTo(10_001)) {
      channel.push([event(seq)])
      await read(quick, 1)
    }
    await expect(late.next()).rejects.toMatchObject({ code: 'events_missed' })
    channel.push([event(10_002)])
    expect(await read(quick, 1)).toEqual([10_002])
  })

  it('that come after another one has read and left are told likewise', async () => {
    const channel = createEventChannel()
    const first = channel[Symbol.asyncIterator]()
    channel.push([event(1)])
    await read(first, 1)
    await first.return?.()
    channel.push([event(2)])
    await expect(channel[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'events_missed' })
  })

  it('may ask for several events at once, and get them in order', async () => {
    const channel = createEventChannel()
    const iterator = channel[Symbol.asyncIterator]()
    const asked = [iterator.next(), iterator.next(), iterator.next()]
    for (const seq of upTo(2)) channel.push([event(seq)])
    channel.close()
    const given = await Promise.all(asked)
    expect(given.map(({ value }) => value?.seq)).toEqual([1, 2, undefined])
    expect(given.map(({ done }) => done)).toEqual([false, false, true])
  })

  it('that leave while they wait are let go', async () => {
    const channel = createEventChannel()
    const iterator = channel[Symbol.asyncIterator]()
    const waiting = iterator.next()
    await iterator.return?.()
    expect(await waiting).toEqual({ done: true, value: undefined })
    expect(await iterator.next()).toEqual({ done: true, value: undefined })
    expect(channel.ready(new AbortController().signal)).toBeUndefined()
  })

  it('find an ended channel ended', async () => {
    const channel = createEventChannel()
    channel.push([event(1)])
    channel.close()
    expect(await read(channel[Symbol.asyncIterator](), 5)).toEqual([1])
    await expect(channel[Symbol.asyncIterator]().next()).rejects.toMatchObject({ code: 'events_missed' })
  })
})

describe('backpressure', () => {
  const idle = new AbortController().signal

  it('begins when the slowest reader is 65,536 characters behind, however few events that is', async () => {
    const channel = createEventChannel()
    const idle = new AbortController().signal
    const slow = channel[Symbol.asyncIterator]()
    const long = (seq: number, length: number): AgentEvent => ({
      ...event(seq),
      type: 'text.delta',
      turn: 1,
      attempt: 1,
      block: 0,
      text: 'x'.repeat(length),
    })
    channel.push([event(1)])
    await read(slow, 1)
    channel.push([long(2, 65_535)])
    expect(channel.ready(idle)).toBeUndefined()
    channel.push([event(3)])
    const ready = channel.ready(idle)
    expect(ready).toBeDefined()
    await read(slow, 1)
    await ready
    expect(channel.ready(idle)).toBeUndefined()
  })

  it('begins when the slowest reader is 128 events behind, and ends when it has caught up', async () => {
    const channel = createEventChannel()
    const slow = channel[Symbol.asyncIterator]()
    const quick = channel[Symbol.asyncIterator]()
    channel.push([event(1)])
    await Promise.all([read(slow, 1), read(quick, 1)])
    for (const seq of upTo(128, 2)) channel.push([event(seq)])
    expect(channel.ready(idle)).toBeUndefined()
    channel.push([event(129)])
    await read(quick, 128)
    const ready = channel.ready(idle)
    expect(ready).toBeInstanceOf(Promise)
    await read(slow, 1)
    await ready
    expect(channel.ready(idle)).toBeUndefined()
  })

  it('is not for who has never read, nor for who has left', async () => {
    const channel = createEventChannel()
    for (const seq of upTo(500)) channel.push([event(seq)])
    expect(channel.ready(idle)).toBeUndefined()
    const reader = channel[Symbol.asyncIterator]()
    await read(reader, 1)
    const ready = channel.ready(idle)
    expect(ready).toBeInstanceOf(Promise)
    await reader.return?.()
    await ready
    expect(channel.ready(idle)).toBeUndefined()
  })

  it('ends for several who wait at once', async () => {
    const channel = createEventChannel()
    const reader = channel[Symbol.asyncIterator]()
    for (const seq of upTo(200)) channel.push([event(seq)])
    await read(reader, 1)
    const ended: string[] = []
    const first = channel.ready(idle)?.then(() => ended.push('first'))
    const second = channel.ready(idle)?.then(() => ended.push('second'))
    await read(reader, 199)
    await first
    await second
    expect(ended.sort()).toEqual(['first', 'second'])
  })

  it('ends when the run is stopped, and leaves no listener', async () => {
    const channel = createEventChannel()
    const reader = channel[Symbol.asyncIterator]()
    for (const seq of upTo(200)) channel.push([event(seq)])
    await read(reader, 1)
    const controller = new AbortController()
    const ready = channel.ready(controller.signal)
    controller.abort()
    await ready
    expect(channel.ready(controller.signal)).toBeUndefined()
  })
})

describe('a run and its readers', () => {
  it('are independent: a reader that leaves stops nothing', async () => {
    const claude = await claudeFor([{ content: [text('One two three four five six seven eight.')] }])
    const run = agentOn(claude).run({ messages: question })
    const seen: string[] = []
    for await (const { type } of run) {
      seen.push(type)
      if (seen.length === 3) break
    }
    expect(await run.result).toMatchObject({ outcome: 'completed', text: 'One two three four five six seven eight.' })
    expect(claude.requests).toMatchObject([{ closedBy: 'server' }])
  })

  it('an iterator that is made and never read holds nothing up', async () => {
    const claude = await claudeFor([{ content: [text(largeText({ bytes: 1_000_000 }))], chunking: 'whole' }])
    const run = agentOn(claude).run({ messages: question })
    const abandoned = run[Symbol.asyncIterator]()
    expect((await run.result).text).toHaveLength(1_000_000)
    expect(abandoned).toHaveProperty('next')
  })

  it('one that comes when all is over still gets everything', async () => {
    const claude = await claudeFor([{ content: [text('Hello there.')] }])
    const run = agentOn(claude).run({ messages: question })
    await run.result
    const events = await eventsOf(run)
    expect(events.map(({ seq }) => seq)).toEqual(upTo(events.length))
    expect(events.at(-1)?.type).toBe('run.finished')
  })

  it("one that does not read on stops the model's socket; one that then does gets all of it", async () => {
    const bytes = 30_000_000
    const claude = await claudeFor([{ content: [text(largeText({ bytes }))], chunking: 'whole' }])
    const run = agentOn(claude).run({ messages: question })
    const iterator = run[Symbol.asyncIterator]()
    let read = 0
    const blocked = deferred()
    const { value: first } = await iterator.next()
    expect(first?.type).toBe('run.started')
    // The server finds its socket full and goes on waiting: nobody reads it.
    void claude.waitFor(() => claude.stats.blocked > 0).then(() => blocked.resolve())
    await blocked.promise
    const before = claude.stats.bytesSent
    expect(before).toBeLessThan(bytes / 2)
    for (;;) {
      const { done, value } = await iterator.next()
      if (done === true) break
      if (value.type === 'text.delta') read += value.text.length
    }
    expect(read).toBe(bytes)
    expect((await run.result).outcome).toBe('completed')
  })

  it('one that stands still does not keep an interrupt from ending the run', async () => {
    const claude = await claudeFor([{ content: [text(largeText({ bytes: 30_000_000 }))], chunking: 'whole' }])
    const run = agentOn(claude).run({ messages: question })
    const iterator = run[Symbol.asyncIterator]()
    await iterator.next()
    await claude.waitFor(() => claude.stats.blocked > 0)
    run.interrupt()
    expect((await run.result).outcome).toBe('interrupted')
    await claude.waitFor(({ closedBy }) => closedBy === 'client')
    expect(claude.stats.bytesSent).toBeLessThan(15_000_000)
  })

  it('a tool that reports to a reader who is behind does not keep the stream waiting', async () => {
    // It runs while its own turn still streams, so that both wait for the reader.
    const report = deferred<(message: string) => void>()
    const early = defineTool({
      name: 'early',
      description: '',
      inputSchema: { jsonSchema: { type: 'object' } },
      readOnly: true,
      run(_input, { progress, signal }) {
        report.resolve((message) => progress({ message }))
        return new Promise((resolve) => {
          void claude.waitFor(() => !signal.aborted && claude.stats.blocked === 0).then(() => resolve('ok'))
        })
      },
    })
    const claude = await claudeFor([
      { content: [toolUse('early', { a: 1 }), text(largeText({ bytes: 20_000_000 }))], chunking: 'whole' },
      { content: [text('Done.')] },
    ])
    const run = agentOn(claude, { tools: [early], eagerTools: true }).run({ messages: question })
    const iterator = run[Symbol.asyncIterator]()
    await iterator.next()
    const tell = await report.promise
    await claude.waitFor(() => claude.stats.blocked > 0)
    for (const message of ['one', 'two', 'three']) tell(message)
    while ((await iterator.next()).done !== true);
    expect(await run.result).toMatchObject({ outcome: 'completed', text: 'Done.' })
  })
})
