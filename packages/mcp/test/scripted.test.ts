import type { Tool } from '@millrace/core'
import { text, toolUse } from '@millrace/testing'
import { deferred, macrotask, manualClock } from '@millrace/testing/async'
import { afterEach, expect, test, vi } from 'vitest'
import { connectMcp, isMcpError, type McpConnection, type McpError, type McpOptions } from '../src/index.ts'
import { ofType, runAgent } from './run-agent.ts'
import { listed, scriptedServer } from './scripted-server.ts'
import { contextOf, runTool } from './tool-call.ts'

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

/** Returns the message that `running` fails with. Observes it from now on, so that it is never unhandled. */
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

test('leaves out tools that cannot be used, reports each, and keeps the others', async () => {
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

test('reads every page of a list, and stops at 64 pages of an endless one', async () => {
  const server = scriptedServer()
  server.pages = [[listed('one')], [listed('two')], [listed('three')]]
  expect(names(await connect({ a: server }))).toEqual(['one', 'two', 'three'])
  const endless = scriptedServer()
  endless.pages = Array.from({ length: 1000 }, (_, page) => [listed(`t${page}`)])
  expect(names(await connect({ a: endless }))).toHaveLength(64)
})

test('prefixes names that two servers have, and gives every tool a name that the API accepts', async () => {
  const connection = await connect({
    a: scriptedServer(listed('read'), listed('only-a'), listed('dotted.name/x')),
    b: scriptedServer(listed('read'), listed('x'.repeat(200)), listed('ä'), listed('ö')),
  })
  expect(names(connection)).toEqual(['a_read', 'only-a', 'dotted_name_x', 'b_read', 'x'.repeat(128), '_', '__2'])
  for (const name of names(connection)) expect(name).toMatch(/^[a-zA-Z0-9_-]{1,128}$/)
})

test('calls a renamed tool by the name its server knows', async () => {
  const a = scriptedServer(listed('read.it'))
  const connection = await connect({ a })
  const running = runTool(find(connection, 'read_it'), { path: 'x' }, contextOf())
  const call = await a.nextCall()
  expect([call.name, call.arguments]).toEqual(['read.it', { path: 'x' }])
  call.answer({ content: [{ type: 'text', text: 'ok' }] })
  expect(await running).toBe('ok')
})

test('uses the hints of a server unless it is not trusted', async () => {
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

test('follows a changed list, also one that changes while it is read', async () => {
  const a = scriptedServer(listed('old'))
  const connection = await connect({ a })
  const changed = change(connection)
  a.pages = [[listed('new')]]
  a.listChanged()
  await changed
  expect(names(connection)).toEqual(['new'])
  const listings = a.cursors.length
  a.listChanged()
  a.listChanged()
  a.listChanged()
  a.pages = [[listed('newest')]]
  while (names(connection)[0] !== 'newest') await change(connection)
  expect(a.cursors.length - listings).toBeLessThanOrEqual(2)
})

test('reports a listener that throws or rejects, and goes on', async () => {
  const a = scriptedServer(listed('old'))
  const connection = await connect({ a })
  const failure = new Error('listener')
  connection.onToolsChanged(() => {
    throw failure
  })
  connection.onToolsChanged((): unknown => Promise.reject(failure))
  const changed = change(connection)
  a.pages = [[listed('new')]]
  a.listChanged()
  await changed
  await macrotask()
  expect(names(connection)).toEqual(['new'])
  expect(problems).toMatchObject(
    Array.from({ length: 2 }, () => ({ code: 'hook_failed', server: 'a', cause: failure })),
  )
})

test.each([
  [
    'throws',
    () => {
      throw new Error('onProblem')
    },
  ],
  ['rejects', (): unknown => Promise.reject(new Error('onProblem'))],
])('goes on when onProblem %s', async (_, onProblem) => {
  const connection = await connect({ a: scriptedServer(listed('good'), 'bad') }, { onProblem })
  await macrotask()
  expect(names(connection)).toEqual(['good'])
})

test('reports a tool that cannot be used once, however often lists change', async () => {
  const task = listed('task', { execution: { taskSupport: 'required' } })
  const a = scriptedServer(listed('one'), task)
  const b = scriptedServer(listed('two'))
  const connection = await connect({ a, b })
  const relist = async (server: typeof a, ...tools: readonly unknown[]): Promise<string[]> => {
    problems = []
    server.pages = [tools]
    const changed = change(connection)
    server.listChanged()
    await changed
    return problems.map(({ message }) => message)
  }
  expect(problems.map(({ message }) => message)).toEqual([expect.stringContaining('"task" of the MCP server "a"')])
  expect(await relist(a, listed('one'), task)).toEqual([])
  expect(await relist(b, listed('three'))).toEqual([])
  expect(await relist(a, listed('one'), listed('task'))).toEqual([])
  expect(await relist(a, listed('one'), task)).toEqual([expect.stringContaining('"task"')])
})

test('lists the tools again when the list changes during the first listing, after that has ended', async () => {
  const a = scriptedServer()
  a.pages = [[listed('one')], [listed('two'), 'bad']]
  a.changeWhileListing = true
  const connection = await connect({ a })
  await macrotask()
  expect(a.cursors).toEqual([undefined, '1', undefined, '1'])
  expect(names(connection)).toEqual(['one', 'two'])
  expect(problems.map(({ code }) => code)).toEqual(['tool_skipped'])
})

test('delivers the last progress before the result', async () => {
  const a = scriptedServer(listed('t'))
  const connection = await connect({ a })
  const given = contextOf()
  const running = runTool(find(connection, 't'), {}, given)
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

test('cancels the call on the server when the signal aborts, and rejects with its reason', async () => {
  const a = scriptedServer(listed('t'))
  const connection = await connect({ a })
  const controller = new AbortController()
  const running = runTool(find(connection, 't'), {}, contextOf(controller.signal))
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
])('tells the model of %s', async (_name, answer, message) => {
  const a = scriptedServer(listed('t'))
  const running = runTool(find(await connect({ a }), 't'), {}, contextOf())
  answer(await a.nextCall())
  await expect(running).rejects.toThrow(new RegExp(message))
})
type Call = Awaited<ReturnType<ReturnType<typeof scriptedServer>['nextCall']>>

test('ends a call without progress at idleTimeout, and one with progress at callTimeout', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
  try {
    const a = scriptedServer(listed('t'))
    const connection = await connect({ a }, { idleTimeout: 300, callTimeout: 1000 })
    const tool = find(connection, 't')

    const silent = failureOf(runTool(tool, {}, contextOf()))
    const first = await a.nextCall()
    await vi.advanceTimersByTimeAsync(300)
    expect(await silent).toContain('did not answer in time. It is unknown whether')
    expect(first.cancelled).toBe(true)

    const busy = runTool(tool, {}, contextOf())
    const second = await a.nextCall()
    for (let progress = 1; progress <= 4; progress += 1) {
      await vi.advanceTimersByTimeAsync(200)
      second.progress(progress)
    }
    second.answer({ content: [{ type: 'text', text: 'at last' }] })
    expect(await busy).toBe('at last')

    const endless = failureOf(runTool(tool, {}, contextOf()))
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

test('fails a call whose connection is lost without repeating it, and connects again for the next call', async () => {
  const a = scriptedServer(listed('t'))
  const connection = await connect({ a }, { clock: manualClock() })
  const running = Promise.resolve(runTool(find(connection, 't'), {}, contextOf()))
  await a.nextCall()
  await Promise.all([expect(running).rejects.toThrow('It is unknown whether the call took effect'), a.die()])
  expect(connection.connected()).toEqual({ a: false })
  expect(names(connection)).toEqual(['t'])
  const next = runTool(find(connection, 't'), {}, contextOf())
  ;(await a.nextCall()).answer({ content: [{ type: 'text', text: 'back' }] })
  expect(await next).toBe('back')
  expect(a.connections).toBe(2)
  expect(problems.map(({ code }) => code)).toEqual(['connection_lost'])
})

test('stops waiting for a lost server when the signal aborts', async () => {
  const a = scriptedServer(listed('t'))
  const { transport } = a
  const connection = await connect({ a }, { clock: manualClock() })
  a.transport = () => Object.assign(transport(), { start: () => new Promise<void>(() => {}) })
  await a.die()
  const controller = new AbortController()
  const reason = new Error('interrupted')
  const running = runTool(find(connection, 't'), {}, contextOf(controller.signal))
  controller.abort(reason)
  await expect(running).rejects.toMatchObject({
    name: 'ToolError',
    outcome: 'error',
    message: 'It was stopped before it was sent. The call did not run.',
    cause: reason,
  })
})

test.each([
  ['it runs out of time', undefined, 'timeout'],
  ['the run is interrupted', 'user', 'cancelled'],
])(
  'reports the outcome of a call that was sent as unknown when %s, unless it is read-only',
  async (_, reason, stopped) => {
    const callTimeout = 1000
    for (const readOnly of [false, true]) {
      const a = scriptedServer(listed('t', { annotations: { readOnlyHint: readOnly } }))
      const connection = await connect({ a }, { callTimeout })
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'Date'] })
      try {
        const running = runAgent({
          script: [{ content: [toolUse('t')] }, { content: [text('Done.')] }],
          tools: connection.tools,
          onEvent(event, run) {
            if (event.type !== 'tool.started') return
            void a
              .nextCall()
              .then(() => (reason === undefined ? vi.advanceTimersByTime(callTimeout) : run.interrupt(reason)))
          },
        })
        const [end] = ofType((await running).events, 'tool.finished')
        expect(end?.outcome).toBe(readOnly ? stopped : 'unknown')
      } finally {
        vi.useRealTimers()
      }
      await connection.close()
    }
  },
)

test('tells calls to an absent server that they did not run, and tries to connect after growing delays', async () => {
  const a = scriptedServer(listed('t'))
  const clock = manualClock()
  const connection = await connect({ a }, { clock })
  a.refuse = true
  await a.die()
  await expect(runTool(find(connection, 't'), {}, contextOf())).rejects.toThrow('The call did not run')
  const failures = (): number => problems.filter(({ code }) => code === 'connect_failed').length
  for (const [index, delay] of [1000, 2000, 4000, 8000, 16_000, 30_000, 30_000].entries()) {
    await clock.timer(delay)
    clock.advance(delay - 1)
    expect(failures()).toBe(index)
    clock.advance(1)
    await clock.timer()
    expect(failures()).toBe(index + 1)
  }
  a.refuse = false
  const changed = change(connection)
  clock.advance(30_000)
  await changed
  expect(names(connection)).toEqual(['t'])
})

test('fails when a required server cannot be reached, closes the others, and reports nothing more', async () => {
  const a = scriptedServer(listed('t'))
  const b = scriptedServer()
  b.refuse = true
  const { transport } = scriptedServer()
  const started = deferred()
  const hanging = {
    required: false,
    transport: () =>
      Object.assign(transport(), {
        start: () => {
          started.resolve()
          return new Promise<void>(() => {})
        },
      }),
  }
  const heard: McpError[] = []
  const connecting = connectMcp({ servers: { a, hanging, b }, onProblem: (problem) => heard.push(problem) })
  const error: unknown = await connecting.catch((cause: unknown) => cause)
  await started.promise
  await macrotask()
  expect(isMcpError(error)).toBe(true)
  expect(error).toMatchObject({ code: 'connect_failed', server: 'b' })
  expect(heard).toEqual([])
})

test('reports an optional server that cannot be reached, and adds its tools once it can', async () => {
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

test('stops connecting when the signal aborts', async () => {
  const reason = new Error('enough')
  await expect(connectMcp({ servers: { a: scriptedServer() }, signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
})

test('tries nothing again after close', async () => {
  const clock = manualClock()
  const a = scriptedServer(listed('t'))
  const connection = await connect({ a }, { clock })
  await connection.close()
  await connection.close()
  expect(clock.pending).toBe(0)
  expect(problems).toEqual([])
  await expect(runTool(find(connection, 't'), {}, contextOf())).rejects.toThrow('did not run')
  expect(a.connections).toBe(1)
})

test.each([
  [{}, 'invalid_option', 'servers'],
  [{ servers: { a: { url: 'http://a.example', header: {} } } }, 'unknown_option', 'servers.a.header'],
  [{ servers: { a: { ...scriptedServer(), trustHints: 'no' } } }, 'invalid_option', 'servers.a.trustHints'],
  [{ servers: {}, onProblem: 'log' }, 'invalid_option', 'onProblem'],
  [{ servers: { 'a b': scriptedServer() } }, 'invalid_option', 'servers.a b'],
  [{ servers: { a: { url: 'no url' } } }, 'invalid_option', 'servers.a.url'],
  [{ servers: { a: { command: 'node' } } }, 'invalid_option', 'servers.a'],
  [{ servers: [] }, 'invalid_option', 'servers'],
  [{ servers: {}, callTimeout: 0 }, 'invalid_option', 'callTimeout'],
  [{ servers: {}, timeout: 1 }, 'unknown_option', 'timeout'],
])('refuses wrong options: %#', async (options, code, path) => {
  await expect(Reflect.apply(connectMcp, undefined, [options])).rejects.toMatchObject({ code, path })
})
