import type { Tool, ToolContext, ToolProgress } from '@millrace/core'
import { manualClock } from '@millrace/core/conformance'
import { afterEach, expect, test, vi } from 'vitest'
import { connectMcp, isMcpError, type McpConnection, type McpError, type McpOptions } from '../src/index.ts'
import { text, toolUse } from '@millrace/testing'
import { ofType, runAgent } from './run-agent.ts'
import { listed, scriptedServer } from './scripted-server.ts'

let open: McpConnection | undefined
let problems: McpError[] = []
afterEach(async () => open?.close())

async function connect(servers: McpOptions['servers'], options: Partial<McpOptions> = {}): Promise<McpConnection> {
  problems = []
  open = await connectMcp({ servers, onProblem: (problem) => problems.push(problem), ...options })
  return open
}

function names(connection: McpConnection): string[] {
  return connection.tools().map(({ name }) => name)
}

function find(connection: McpConnection, name: string): Tool {
  const tool = connection.tools().find((each) => each.name === name)
  if (tool === undefined) throw new Error(`no tool ${name}`)
  return tool
}

function context(signal: AbortSignal = new AbortController().signal): ToolContext & { readonly seen: ToolProgress[] } {
  const seen: ToolProgress[] = []
  return {
    signal,
    seen,
    progress: (report) => seen.push(report),
    toolUseId: 't',
    idempotencyKey: 'k',
    runId: 'r',
    turn: 1,
  }
}

/** The message that `running` fails with, heard of from now on. */
function failureOf(running: unknown): Promise<string> {
  return Promise.resolve(running).then(
    () => 'nothing failed',
    (error: unknown) => String(error),
  )
}

/** Resolves when the tools have changed. */
function change(connection: McpConnection): Promise<void> {
  return new Promise((resolve) => {
    const off = connection.onToolsChanged(() => {
      off()
      resolve()
    })
  })
}

test('one bad tool does not take the others down', async () => {
  const connection = await connect({
    a: scriptedServer(
      listed('good'),
      listed('no-object', { inputSchema: { type: 'string' } }),
      listed('no-schema', { inputSchema: 7 }),
      { description: 'nameless' },
      'text',
      listed('good', { description: 'again' }),
      listed('task', { execution: { taskSupport: 'required' } }),
      listed('plain', { description: 7, inputSchema: { type: 'object', properties: { a: { $ref: 'nowhere' } } } }),
    ),
  })
  expect(names(connection)).toEqual(['good', 'plain'])
  expect(find(connection, 'plain').description).toBe('plain')
  expect(problems.map(({ code, server }) => [code, server])).toEqual(
    Array.from({ length: 6 }, () => ['tool_skipped', 'a']),
  )
})

test('all pages of a list are read, and an endless one is left', async () => {
  const server = scriptedServer()
  server.pages = [[listed('one')], [listed('two')], [listed('three')]]
  expect(names(await connect({ a: server }))).toEqual(['one', 'two', 'three'])
  const endless = scriptedServer()
  endless.pages = Array.from({ length: 1000 }, (_, page) => [listed(`t${page}`)])
  expect(names(await connect({ a: endless }))).toHaveLength(64)
})

test('names that two servers have are prefixed, others stay; all are names that the API takes', async () => {
  const connection = await connect({
    a: scriptedServer(listed('read'), listed('only-a'), listed('dotted.name/x')),
    b: scriptedServer(listed('read'), listed('x'.repeat(200)), listed('ä'), listed('ö')),
  })
  expect(names(connection)).toEqual(['a_read', 'only-a', 'dotted_name_x', 'b_read', 'x'.repeat(128), '_', '__2'])
  for (const name of names(connection)) expect(name).toMatch(/^[a-zA-Z0-9_-]{1,128}$/)
})

test('a renamed tool is called by its own name', async () => {
  const a = scriptedServer(listed('read.it'))
  const connection = await connect({ a })
  const running = find(connection, 'read_it').run({ path: 'x' }, context())
  const call = await a.nextCall()
  expect([call.name, call.arguments]).toEqual(['read.it', { path: 'x' }])
  call.answer({ content: [{ type: 'text', text: 'ok' }] })
  expect(await running).toBe('ok')
})

test('hints are used, unless the server is not to be trusted', async () => {
  const hinted = listed('t', { annotations: { readOnlyHint: true, idempotentHint: true } })
  const trusted = await connect({ a: scriptedServer(hinted, listed('u')) })
  expect(trusted.tools().map(({ readOnly, idempotent }) => [readOnly, idempotent])).toEqual([
    [true, true],
    [false, false],
  ])
  await trusted.close()
  const careful = await connect({ a: Object.assign(scriptedServer(hinted), { trustHints: false }) })
  expect(find(careful, 't')).toMatchObject({ readOnly: false, idempotent: false })
})

test('a changed list is followed, also one that changes while it is read', async () => {
  const a = scriptedServer(listed('old'))
  const connection = await connect({ a })
  const changed = change(connection)
  a.pages = [[listed('new')]]
  a.listChanged()
  await changed
  expect(names(connection)).toEqual(['new'])
  const listings = a.listings
  a.listChanged()
  a.listChanged()
  a.listChanged()
  a.pages = [[listed('newest')]]
  while (names(connection)[0] !== 'newest') await change(connection)
  expect(a.listings - listings).toBeLessThanOrEqual(2)
})

test('a listener that throws disturbs nobody', async () => {
  const a = scriptedServer(listed('old'))
  const connection = await connect(
    { a },
    {
      onProblem: () => {
        throw new Error('listener')
      },
    },
  )
  connection.onToolsChanged(() => {
    throw new Error('listener')
  })
  const changed = change(connection)
  a.pages = [[listed('new'), 'bad']]
  a.listChanged()
  await changed
  expect(names(connection)).toEqual(['new'])
})

test('the last progress before the result arrives', async () => {
  const a = scriptedServer(listed('t'))
  const connection = await connect({ a })
  const given = context()
  const running = find(connection, 't').run({}, given)
  const call = await a.nextCall()
  call.progress(1, 2)
  call.progress(2, 2)
  call.answer({ content: [] })
  expect(await running).toBe('')
  expect(given.seen).toEqual([
    { progress: 1, total: 2 },
    { progress: 2, total: 2 },
  ])
})

test('an abort cancels the call on the server, and is the reason of the failure', async () => {
  const a = scriptedServer(listed('t'))
  const connection = await connect({ a })
  const controller = new AbortController()
  const running = find(connection, 't').run({}, context(controller.signal))
  const call = await a.nextCall()
  const reason = new Error('interrupted')
  controller.abort(reason)
  await expect(running).rejects.toBe(reason)
  expect(call.cancelled).toBe(true)
})

test.each([
  [
    'an error of the tool',
    (call: Call) => call.answer({ isError: true, content: [{ type: 'text', text: 'no such file' }] }),
    'no such file',
  ],
  ['an error without content', (call: Call) => call.answer({ isError: true, content: [] }), '"t" failed.'],
  ['an error of the protocol', (call: Call) => call.fail(-32602, 'bad arguments'), '"t" failed: .*bad arguments'],
])('%s is told to the model', async (_name, answer, message) => {
  const a = scriptedServer(listed('t'))
  const running = find(await connect({ a }), 't').run({}, context())
  answer(await a.nextCall())
  await expect(running).rejects.toThrow(new RegExp(message))
})
type Call = Awaited<ReturnType<ReturnType<typeof scriptedServer>['nextCall']>>

test('without progress a call times out, with progress it goes on, but not for ever', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  try {
    const a = scriptedServer(listed('t'))
    const connection = await connect({ a }, { idleTimeout: 300, callTimeout: 1000 })
    const tool = find(connection, 't')

    const silent = failureOf(tool.run({}, context()))
    const first = await a.nextCall()
    await vi.advanceTimersByTimeAsync(300)
    expect(await silent).toContain('did not answer in time. It is unknown whether')
    expect(first.cancelled).toBe(true)

    const busy = tool.run({}, context())
    const second = await a.nextCall()
    for (let progress = 1; progress <= 4; progress += 1) {
      await vi.advanceTimersByTimeAsync(200)
      second.progress(progress)
    }
    second.answer({ content: [{ type: 'text', text: 'at last' }] })
    expect(await busy).toBe('at last')

    const endless = failureOf(tool.run({}, context()))
    const third = await a.nextCall()
    for (let progress = 1; progress <= 6; progress += 1) {
      await vi.advanceTimersByTimeAsync(200)
      third.progress(progress)
    }
    expect(await endless).toContain('did not answer in time')
  } finally {
    vi.useRealTimers()
  }
})

test('a lost connection: the call fails, is not repeated, and the next one connects again', async () => {
  const a = scriptedServer(listed('t'))
  const connection = await connect({ a }, { clock: manualClock() })
  const running = Promise.resolve(find(connection, 't').run({}, context()))
  await a.nextCall()
  await Promise.all([expect(running).rejects.toThrow('It is unknown whether the call took effect'), a.die()])
  expect(connection.connected()).toEqual({ a: false })
  expect(names(connection)).toEqual(['t'])
  const next = find(connection, 't').run({}, context())
  ;(await a.nextCall()).answer({ content: [{ type: 'text', text: 'back' }] })
  expect(await next).toBe('back')
  expect(a.connections).toBe(2)
  expect(problems.map(({ code }) => code)).toEqual(['connection_lost'])
})

test('an abort while a lost server is being connected ends the wait', async () => {
  const a = scriptedServer(listed('t'))
  const { transport } = a
  const connection = await connect({ a }, { clock: manualClock() })
  a.transport = () => Object.assign(transport(), { start: () => new Promise<void>(() => {}) })
  await a.die()
  const controller = new AbortController()
  const reason = new Error('interrupted')
  const running = find(connection, 't').run({}, context(controller.signal))
  controller.abort(reason)
  await expect(running).rejects.toMatchObject({
    name: 'ToolError',
    outcome: 'error',
    message: 'It was stopped before it was sent. The call did not run.',
    cause: reason,
  })
})

test.each([
  ['its time is up', undefined, 20],
  ['the run is interrupted', 'user', 600_000],
])(
  'a call that was sent has an unknown outcome when %s, unless it is read-only',
  async (_when, reason, callTimeout) => {
    for (const readOnly of [false, true]) {
      const a = scriptedServer(listed('t', { annotations: { readOnlyHint: readOnly } }))
      const connection = await connect({ a }, { callTimeout })
      const running = runAgent({
        script: [{ content: [toolUse('t')] }, { content: [text('Done.')] }],
        tools: connection.tools,
        onEvent(event, run) {
          if (event.type === 'tool.started' && reason !== undefined) void a.nextCall().then(() => run.interrupt(reason))
        },
      })
      const [end] = ofType((await running).events, 'tool.finished')
      const stopped = reason === undefined ? 'timeout' : 'cancelled'
      expect(end?.outcome).toBe(readOnly ? stopped : 'unknown')
      await connection.close()
    }
  },
)

test('a server that stays away: calls say that they did not run, attempts come at growing distances', async () => {
  const a = scriptedServer(listed('t'))
  const clock = manualClock()
  const connection = await connect({ a }, { clock })
  a.refuse = true
  await a.die()
  await expect(find(connection, 't').run({}, context())).rejects.toThrow('The call did not run')
  const heard = (count: number): Promise<void> =>
    new Promise((resolve) => {
      const look = (): void => {
        if (problems.length >= count) resolve()
        else setImmediate(look)
      }
      look()
    })
  const failures = (): number => problems.filter(({ code }) => code === 'connect_failed').length
  for (const [index, delay] of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].entries()) {
    clock.advance(delay - 1)
    expect(failures()).toBe(index)
    clock.advance(1)
    await heard(index + 2)
    // The next attempt is scheduled in the same turn as the report, after it.
    await Promise.resolve()
  }
  a.refuse = false
  const changed = change(connection)
  clock.advance(30_000)
  await changed
  expect(names(connection)).toEqual(['t'])
})

test('a required server that cannot be reached fails, and closes the others', async () => {
  const a = scriptedServer(listed('t'))
  const b = scriptedServer()
  b.refuse = true
  const error: unknown = await connectMcp({ servers: { a, b } }).catch((cause: unknown) => cause)
  expect(isMcpError(error)).toBe(true)
  expect(error).toMatchObject({ code: 'connect_failed', server: 'b' })
})

test('one that is not required is reported, and joins when it comes', async () => {
  const clock = manualClock()
  const b = Object.assign(scriptedServer(listed('late')), { required: false })
  b.refuse = true
  const connection = await connect({ a: scriptedServer(listed('t')), b }, { clock })
  expect(problems).toMatchObject([{ code: 'connect_failed', server: 'b' }])
  expect(names(connection)).toEqual(['t'])
  b.refuse = false
  const changed = change(connection)
  clock.advance(1000)
  await changed
  expect(names(connection)).toEqual(['t', 'late'])
})

test('an abort gives up connecting', async () => {
  const reason = new Error('enough')
  await expect(connectMcp({ servers: { a: scriptedServer() }, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

test('after close nothing is tried again', async () => {
  const clock = manualClock()
  const a = scriptedServer(listed('t'))
  const connection = await connect({ a }, { clock })
  await connection.close()
  await connection.close()
  expect(clock.timers).toBe(0)
  expect(problems).toEqual([])
  await expect(find(connection, 't').run({}, context())).rejects.toThrow('did not run')
})

test.each([
  [{ servers: { 'a b': scriptedServer() } }, 'invalid_option', 'servers.a b'],
  [{ servers: { a: { url: 'no url' } } }, 'invalid_option', 'servers.a.url'],
  [{ servers: { a: { command: 'node' } } }, 'invalid_option', 'servers.a'],
  [{ servers: [] }, 'invalid_option', 'servers'],
  [{ servers: {}, callTimeout: 0 }, 'invalid_option', 'callTimeout'],
  [{ servers: {}, timeout: 1 }, 'unknown_option', 'timeout'],
])('wrong options are refused: %#', async (options, code, path) => {
  await expect(Reflect.apply(connectMcp, undefined, [options])).rejects.toMatchObject({ code, path })
})
