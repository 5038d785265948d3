import { deferred, macrotask } from '@millrace/testing/async'
import { once } from 'node:events'
import { PassThrough } from 'node:stream'
import { afterEach, expect, test } from 'vitest'
import { connectMcp, type McpConnection, type McpError } from '../src/index.ts'
import { decodeText } from '../src/stdio/decode-text.ts'
import { stdio } from '../src/stdio/index.ts'

let open: McpConnection | undefined
afterEach(async () => open?.close())

const written = 'zażółć → 測試 👩‍🚀'

/** A server that answers `initialize` and `tools/list`, and writes to standard error before each answer. */
const program = `
const answers = {
  initialize: ({ protocolVersion }) => ({ protocolVersion, capabilities: { tools: {} }, serverInfo: { name: 's', version: '1' } }),
  'tools/list': () => ({ tools: [{ name: 't', inputSchema: { type: 'object' } }] }),
}
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  const { id, method, params } = JSON.parse(line)
  const result = answers[method]?.(params ?? {})
  if (result === undefined) return
  process.stderr.write(${JSON.stringify(written)}, () => console.log(JSON.stringify({ jsonrpc: '2.0', id, result })))
})
`

test('passes whole characters, wherever the bytes are cut', async () => {
  const bytes = Buffer.from(written)
  for (let cut = 1; cut < bytes.length; cut += 1) {
    const stream = new PassThrough()
    const pieces: string[] = []
    decodeText(stream, (text) => pieces.push(text))
    stream.write(bytes.subarray(0, cut))
    await macrotask()
    stream.end(bytes.subarray(cut))
    await once(stream, 'end')
    expect(pieces.join('')).toBe(written)
  }
})

test('passes a character that is never completed as U+FFFD', async () => {
  const stream = new PassThrough()
  const pieces: string[] = []
  decodeText(stream, (text) => pieces.push(text))
  stream.end(Buffer.from('→').subarray(0, 2))
  await once(stream, 'end')
  expect(pieces).toEqual(['\uFFFD'])
})

test('gives onStderr what the server writes to its standard error', async () => {
  const heardAll = deferred()
  let heard = ''
  const onStderr = (text: string): void => {
    heard += text
    if (heard.length >= 2 * written.length) heardAll.resolve()
  }
  open = await connectMcp({ servers: { s: stdio({ command: process.execPath, args: ['-e', program], onStderr }) } })
  await heardAll.promise
  expect(heard).toBe(written + written)
})

test.each([
  [
    'throws',
    () => {
      throw new Error('onStderr')
    },
  ],
  ['rejects', (): unknown => Promise.reject(new Error('onStderr'))],
])('reports an onStderr that %s, and goes on', async (_, onStderr) => {
  const reported = deferred<McpError>()
  const server = stdio({ command: process.execPath, args: ['-e', program], onStderr })
  open = await connectMcp({ servers: { s: server }, onProblem: reported.resolve })
  expect(await reported.promise).toMatchObject({
    code: 'hook_failed',
    server: 's',
    message: expect.stringContaining('"onStderr"'),
  })
})

test.each([
  [{}, 'invalid_option', 'command'],
  [{ command: 'node', arg: [] }, 'unknown_option', 'arg'],
  [{ command: 'node', args: '-e' }, 'invalid_option', 'args'],
  [{ command: 'node', env: { A: 1 } }, 'invalid_option', 'env.A'],
  [{ command: 'node', onStderr: 'log' }, 'invalid_option', 'onStderr'],
])('refuses wrong options: %#', (options, code, path) => {
  expect(() => Reflect.apply(stdio, undefined, [options])).toThrow(expect.objectContaining({ code, path }))
})
