import { mkdtempSync, realpathSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { AgentEvent, AgentRun } from '@millrace/core'
import { text, toolUse } from '@millrace/testing'
import { afterAll, afterEach, expect, test } from 'vitest'
import { connectMcp, type McpConnection, type McpServer } from '../src/index.ts'
import { everything, filesystem } from './real-server.ts'
import { ofType, runAgent } from './run-agent.ts'

const folder = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-mcp-')))
afterAll(() => rmSync(folder, { recursive: true }))

let open: McpConnection | undefined
afterEach(async () => open?.close())

async function connect(servers: Record<string, McpServer>): Promise<McpConnection> {
  open = await connectMcp({ servers })
  return open
}

const longRunning = (duration: number, steps: number) => [
  { content: [toolUse('trigger-long-running-operation', { duration, steps })] },
  { content: [text('Done')] },
]

test('delivers every progress of a long-running tool to the run, before its result', async () => {
  const { tools } = await connect({ everything: everything() })
  for (const steps of [1, 2, 3, 5]) {
    const { events, result } = await runAgent({ script: longRunning(0.2, steps), tools })
    expect(result).toMatchObject({ outcome: 'completed', text: 'Done' })
    const progress = ofType(events, 'tool.progress')
    expect(progress.map(({ progress, total }) => [progress, total])).toEqual(
      Array.from({ length: steps }, (_, index) => [index + 1, steps]),
    )
    const [finished] = ofType(events, 'tool.finished')
    expect(finished).toMatchObject({ outcome: 'ok', result: expect.stringContaining(`Steps: ${steps}`) })
    expect(finished?.seq).toBeGreaterThan(progress.at(-1)?.seq ?? Infinity)
  }
})

test('cancels the call when the run is interrupted', async () => {
  const server = everything()
  const { tools } = await connect({ everything: server })
  const { events, result } = await runAgent({
    script: longRunning(600, 6000),
    tools,
    onEvent: (event: AgentEvent, run: AgentRun) => {
      if (event.type === 'tool.progress') run.interrupt('user')
    },
  })
  expect(result.outcome).toBe('interrupted')
  expect(ofType(events, 'tool.finished')).toMatchObject([{ outcome: 'cancelled' }])
  expect(server.sent).toContain('notifications/cancelled')
})

test.each([
  ['as unknown if its hints are not trusted', false, 'unknown', 'It is unknown whether the call took effect'],
  ['as an error if the tool is read-only', true, 'error', 'The call may be repeated'],
])(
  'ends a call whose server is killed %s, continues the run, and connects again for the next call',
  async (_name, trustHints, outcome, told) => {
    const server = Object.assign(everything(), { trustHints })
    const problems: string[] = []
    open = await connectMcp({ servers: { everything: server }, onProblem: ({ code }) => problems.push(code) })
    const { tools } = open
    const { events, result } = await runAgent({
      script: [
        ...longRunning(600, 6000).slice(0, 1),
        { content: [toolUse('echo', { message: 'again' })] },
        { content: [text('Done')] },
      ],
      tools,
      onEvent(event) {
        const [pid] = server.pids()
        if (event.type === 'tool.progress' && event.progress === 1 && pid !== undefined) process.kill(pid, 'SIGKILL')
      },
    })
    expect(result).toMatchObject({ outcome: 'completed', text: 'Done' })
    expect(ofType(events, 'tool.finished')).toMatchObject([
      { outcome, result: expect.stringContaining(told) },
      { outcome: 'ok', result: 'Echo: again' },
    ])
    expect(problems.filter((code) => code !== 'tool_skipped')).toEqual(['connection_lost'])
  },
)

test('leaves out a tool that needs a task, and reports it once', async () => {
  const problems: string[] = []
  open = await connectMcp({ servers: { everything: everything() }, onProblem: ({ message }) => problems.push(message) })
  expect(open.tools().map(({ name }) => name)).not.toContain('simulate-research-query')
  expect(problems).toEqual([expect.stringContaining('"simulate-research-query"')])
})

test('passes results of every kind to the model', async () => {
  const { tools } = await connect({ everything: everything() })
  const { events } = await runAgent({
    script: [
      {
        content: [
          toolUse('get-tiny-image'),
          toolUse('get-resource-links', { count: 2 }),
          toolUse('get-resource-reference', { resourceType: 'Text', resourceId: 1 }),
          toolUse('get-structured-content', { location: 'New York' }),
          toolUse('get-sum', { a: 'x', b: 2 }),
        ],
      },
      { content: [text('Done')] },
    ],
    tools,
  })
  const results = ofType(events, 'tool.finished').map(({ name, outcome, result }) => [
    name,
    outcome,
    JSON.stringify(result),
  ])
  expect(Object.fromEntries(results.map(([name, ...rest]) => [name, rest]))).toEqual({
    'get-tiny-image': [
      'ok',
      expect.stringContaining('"type":"image","source":{"type":"base64","media_type":"image/png"'),
    ],
    'get-resource-links': ['ok', expect.stringContaining('Resource link:')],
    'get-resource-reference': ['ok', expect.stringMatching(/Resource demo:.*:\\nResource 1/)],
    'get-structured-content': ['ok', expect.stringContaining('temperature')],
    'get-sum': ['error', expect.stringContaining('number')],
  })
})

test('ends the server on close', async () => {
  const server = everything()
  const { close } = await connect({ everything: server })
  const [pid = 0] = server.pids()
  await close()
  expect(() => process.kill(pid, 0)).toThrow('ESRCH')
})

test('runs the tools of server-filesystem, which reports no progress', async () => {
  writeFileSync(join(folder, 'note.txt'), 'a note')
  const { tools } = await connect({ files: filesystem(folder) })
  expect(tools().find(({ name }) => name === 'read_text_file')?.readOnly).toBe(true)
  const { events, result } = await runAgent({
    script: [
      {
        content: [
          toolUse('read_text_file', { path: join(folder, 'note.txt') }),
          toolUse('read_text_file', { path: '/etc/passwd' }),
        ],
      },
      { content: [text('Done')] },
    ],
    tools,
  })
  expect(result.outcome).toBe('completed')
  expect(ofType(events, 'tool.progress')).toEqual([])
  // The calls run at the same time and may finish in any order.
  expect(ofType(events, 'tool.finished').sort((a, b) => a.outcome.localeCompare(b.outcome))).toMatchObject([
    { outcome: 'error', result: expect.stringContaining('denied') },
    { outcome: 'ok', result: expect.stringContaining('a note') },
  ])
})

test('starts server-filesystem again after it was killed', async () => {
  writeFileSync(join(folder, 'note.txt'), 'a note')
  const server = filesystem(folder)
  const { tools } = await connect({ files: server })
  const [pid = 0] = server.pids()
  process.kill(pid, 'SIGKILL')
  const read = toolUse('read_text_file', { path: join(folder, 'note.txt') })
  const { events, result } = await runAgent({
    script: [{ content: [read] }, { content: [read] }, { content: [text('Done')] }],
    tools,
  })
  expect(result.outcome).toBe('completed')
  expect(ofType(events, 'tool.finished').at(-1)).toMatchObject({ outcome: 'ok' })
})
