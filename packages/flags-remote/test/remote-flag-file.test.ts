import type { FlagSource, FlagSourceEvent } from '@millrace/flags'
import { deferred, type ManualClock, manualClock } from '@millrace/testing/async'
import { OpenFeature } from '@openfeature/server-sdk'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { remoteFlagFile, type RemoteFlagFile, type RemoteFlagFileOptions } from '../src/index.ts'
import { diskCache } from '../src/node.ts'
import { remoteFileProvider } from '../src/openfeature.ts'
import { faults, type FlagServer, startFlagServer } from './support/flag-server.ts'

const textOf = (percent: number): string =>
  JSON.stringify({
    flags: {
      use_streaming: {
        state: 'ENABLED',
        variants: { on: true, off: false },
        defaultVariant: 'off',
        rollout: { percent },
      },
    },
  })

let server: FlagServer
let clock: ManualClock
let folder: string
const open: FlagSource[] = []

beforeEach(async () => {
  server = await startFlagServer(textOf(100), '{"flags":{}}')
  clock = manualClock(Date.UTC(2026, 0, 1))
  folder = await mkdtemp(join(tmpdir(), 'millrace-remote-'))
})
afterEach(async () => {
  await Promise.all(open.splice(0).map((source) => source.close()))
  await server.close()
  await rm(folder, { recursive: true, force: true })
})

function connect(options: Partial<RemoteFlagFileOptions> = {}): RemoteFlagFile {
  const source = remoteFlagFile({ url: server.url, clock, random: () => 0.5, maxBytes: 100_000, ...options })
  open.push(source)
  return source
}

function next(source: FlagSource, type: FlagSourceEvent['type']): Promise<FlagSourceEvent> {
  return new Promise((resolve) => {
    const leave = source.onChange((event) => {
      if (event.type !== type) return
      leave()
      resolve(event)
    })
  })
}

const ask = (source: RemoteFlagFile, context = {}) => source.getBooleanDetails('use_streaming', false, context)

describe('the poll', () => {
  it('sees a change, and asks with the ETag of what it has', async () => {
    const source = connect({ poll: 30_000 })
    await source.ready()
    expect(ask(source)).toMatchObject({ value: true })
    await source.refresh()
    const before = server.unchanged
    await source.refresh()
    expect(server.unchanged).toBe(before + 1)
    server.text = textOf(0)
    const changed = next(source, 'changed')
    clock.advance(30_000)
    await changed
    expect(ask(source)).toMatchObject({ value: false })
  })

  it('has a jitter of a tenth', async () => {
    for (const [random, due] of [
      [0, 27_000],
      [0.999, 32_994],
    ] as const) {
      const own = manualClock()
      const source = connect({ clock: own, random: () => random, poll: 30_000, timeout: 10 ** 9 })
      await source.ready()
      await source.refresh()
      const before = server.requests.length
      own.advance(due - 1)
      await source.refresh.call(undefined)
      expect(server.requests.length).toBe(before + 1)
    }
  })

  it('joins requests that are made in parallel', async () => {
    const source = connect()
    await source.ready()
    await source.refresh()
    const before = server.requests.length
    await Promise.all([source.refresh(), source.refresh(), source.refresh()])
    expect(server.requests.length).toBe(before + 1)
  })

  it('reads YAML if the content type or the address says so', async () => {
    server.contentType = 'application/yaml'
    server.text = 'flags:\n  use_streaming: { state: ENABLED, variants: { "on": true }, defaultVariant: "on" }\n'
    const source = connect()
    await source.ready()
    expect(ask(source)).toMatchObject({ value: true })
    server.contentType = 'text/plain'
    const byName = connect({ url: server.url.replace('.json', '.yml') })
    await byName.ready()
    expect(ask(byName)).toMatchObject({ value: true })
  })
})

describe.each(faults)('%s', (fault) => {
  async function suffer(source: RemoteFlagFile): Promise<FlagSourceEvent> {
    // What is under way is to end before the fault begins: the next question would join it.
    await source.refresh()
    server.fault = fault
    if (fault === 'refused') await server.close()
    const failed = next(source, 'failed')
    const before = server.requests.length
    const asked = source.refresh()
    if (fault.startsWith('stalled')) {
      // The request must have arrived before its time runs out: else another path is tested.
      while (server.requests.length === before) await new Promise((resolve) => setImmediate(resolve))
      clock.advance(5000)
    }
    await asked
    return failed
  }

  it('leaves the last known good in force, and reports it without secrets', async () => {
    const source = connect({ headers: { authorization: 'Bearer secret' }, url: `${server.url}?token=secret` })
    await source.ready()
    const event = await suffer(source)
    expect(ask(source)).toMatchObject({ value: true })
    expect(JSON.stringify([event, source.describe()])).not.toMatch(/secret|127\.0\.0\.1/)
    expect(source.describe()).toMatchObject({ status: 'ready', problem: { at: clock.now() } })
  })

  it('starts from the last known good of the disk', async () => {
    const lastKnownGood = diskCache(join(folder, 'sub', 'flags.json'))
    const first = connect({ lastKnownGood })
    await first.ready()
    await saved()
    await first.close()
    clock.advance(60_000)
    const second = connect({ lastKnownGood })
    server.fault = fault
    if (fault === 'refused') await server.close()
    await second.ready()
    expect(ask(second)).toMatchObject({ value: true })
    expect(second.describe()).toMatchObject({ ageMs: 60_000 })
  })

  it('is stale after its maximum age, and recovers', async () => {
    const source = connect({ maxAge: 120_000, poll: 10 ** 9 })
    await source.ready()
    await suffer(source)
    const stale = next(source, 'stale')
    clock.advance(120_001)
    await stale
    expect(ask(source)).toMatchObject({ value: true, reason: 'STALE' })
    if (fault === 'refused') return
    server.fault = undefined
    await source.refresh()
    expect(source.describe()).toMatchObject({ status: 'ready' })
    expect(ask(source)).toMatchObject({ reason: 'SPLIT' })
  })

  async function saved(): Promise<void> {
    // Saving is nobody's to wait for: it is done when the file is there.
    for (;;) {
      const names: string[] = await readdir(join(folder, 'sub')).catch(() => [])
      if (names.includes('flags.json')) return
    }
  }
})

describe('after failures', () => {
  it('backs off, up to the poll interval', async () => {
    const source = connect({ poll: 6000 })
    await source.ready()
    await source.refresh()
    server.fault = '500'
    const waits: number[] = []
    clock.advance(6000)
    for (let failures = 0; failures < 6; failures++) {
      await source.refresh()
      const start = clock.now()
      const before = server.requests.length
      while (server.requests.length === before) {
        clock.advance(250)
        await source.refresh()
      }
      waits.push(clock.now() - start)
    }
    expect(waits).toEqual([750, 1500, 3000, 4500, 4500, 4500])
  })

  it.each([
    ['429', '7', 7000],
    ['503', '7', 7000],
    ['429', new Date(Date.UTC(2026, 0, 1, 0, 0, 9)).toUTCString(), 9000],
    ['429', '86400', 300_000],
    ['503', 'soon', 750],
  ] as const)('waits for a server that answers %s with Retry-After %s', async (fault, retryAfter, ms) => {
    server.fault = fault
    server.retryAfter = retryAfter
    const source = connect()
    await source.ready().catch(() => {})
    const before = server.requests.length
    expect(before).toBe(1)
    await source.refresh()
    clock.advance(ms - 1)
    await source.refresh()
    expect(server.requests.length).toBe(before)
    clock.advance(1)
    await source.refresh()
    expect(server.requests.length).toBe(before + 1)
  })
})

describe('a connection', () => {
  it('that is closed as a request is sent on it is replaced, without a failure', async () => {
    const source = connect()
    const events: string[] = []
    source.onChange(({ type }) => events.push(type))
    await source.ready()
    await source.refresh()
    // Each further question finds its connection closed, as where a server's keep-alive has just run out.
    server.onceAConnection = true
    server.text = textOf(0)
    await source.refresh()
    expect(ask(source)).toMatchObject({ value: false })
    await source.refresh()
    expect(events).toEqual(['ready', 'changed'])
    expect(server.closedOnReuse).toBeGreaterThan(0)
  })

  it('that is always closed is a failure after the second attempt', async () => {
    const source = connect()
    await source.ready()
    await source.refresh()
    server.fault = 'reset'
    const before = server.requests.length
    await source.refresh()
    expect(server.requests.length).toBe(before + 2)
    expect(source.describe()).toMatchObject({ problem: { code: 'unreachable' } })
  })
})

describe('headers', () => {
  it('are sent, and may be made for each request', async () => {
    let made = 0
    const source = connect({ headers: async () => ({ authorization: `Bearer ${++made}` }) })
    await source.ready()
    await source.refresh()
    await source.refresh()
    expect(server.requests.slice(0, 2).map(({ headers }) => headers.authorization)).toEqual(['Bearer 1', 'Bearer 2'])
  })

  it.each([
    [
      'throw',
      () => {
        throw new Error('secret')
      },
    ],
    ['are rejected', () => Promise.reject(new Error('secret'))],
    ['are invalid', () => ({ 'bad\nname': 'secret' })],
  ])('that %s are a failed request', async (_, headers) => {
    const source = connect({ headers })
    await expect(source.ready()).rejects.toThrow('the server could not be asked')
    expect(JSON.stringify(source.describe())).not.toContain('secret')
  })

  it('that never come are a failed request in time', async () => {
    const called = deferred()
    const source = connect({
      headers: () => {
        called.resolve()
        return new Promise(() => {})
      },
    })
    const failed = next(source, 'failed')
    await called.promise
    clock.advance(5000)
    expect(await failed).toMatchObject({ problem: { message: 'the server did not answer within 5000 ms' } })
  })
})

describe('the disk', () => {
  it('contains no header, and is readable only for its owner', async () => {
    const path = join(folder, 'flags.json')
    const source = connect({ headers: { authorization: 'Bearer secret' }, lastKnownGood: diskCache(path) })
    await source.ready()
    while (!(await readdir(folder)).includes('flags.json'));
    expect(await readFile(path, 'utf8')).not.toContain('secret')
    expect((await stat(path)).mode & 0o777).toBe(0o600)
    expect(await readdir(folder)).toEqual(['flags.json'])
  })

  it.each(['', 'garbage', '{}', '{"v":1}', '{"v":2,"text":"{}"}', '{"v":1,"text":"{","format":"json","savedAt":1}'])(
    'that contains %j has no last known good',
    async (text) => {
      const path = join(folder, 'flags.json')
      await writeFile(path, text)
      server.fault = '500'
      await expect(connect({ lastKnownGood: diskCache(path) }).ready()).rejects.toThrow('answer')
    },
  )

  it('that fails or hangs delays nothing', async () => {
    const failing = { load: () => Promise.reject(new Error('disk')), save: () => Promise.reject(new Error('disk')) }
    const source = connect({ lastKnownGood: failing })
    await source.ready()
    await new Promise((resolve) => setImmediate(resolve))
    expect(source.describe().warnings).toMatchObject([{ message: 'the last known good answer could not be saved' }])
    const hanging = connect({ lastKnownGood: { load: () => new Promise(() => {}), save: () => new Promise(() => {}) } })
    clock.advance(1000)
    await hanging.ready()
  })
})

it('leaves no timer behind', async () => {
  server.fault = 'stalled headers'
  const source = connect()
  const waiting = source.ready()
  while (server.requests.length === 0) await new Promise((resolve) => setImmediate(resolve))
  await Promise.all([source.close(), expect(waiting).rejects.toThrow('was closed')])
  await new Promise((resolve) => setImmediate(resolve))
  expect(clock.pending).toBe(0)
})

it.each([
  ['url', { url: 'flags.json' }],
  ['url', { url: 'file:///etc/flags.json' }],
  ['url', { url: 'http://user:secret@127.0.0.1/' }],
  ['poll', { poll: 0 }],
  ['timeout', { timeout: -1 }],
  ['maxBytes', { maxBytes: Number.NaN }],
  ['maxAge', { maxAge: 0 }],
])('refuses a wrong %s, and repeats no address', (path, options) => {
  const make = (): unknown => connect(options)
  expect(make).toThrow(expect.objectContaining({ code: 'invalid_option', path }))
  expect(make).not.toThrow(/secret/)
})

it('is an OpenFeature provider', async () => {
  await OpenFeature.setProviderAndWait('remote', remoteFileProvider({ url: server.url }))
  expect(await OpenFeature.getClient('remote').getBooleanValue('use_streaming', false)).toBe(true)
  await OpenFeature.close()
})
