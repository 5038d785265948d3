import Anthropic from '@anthropic-ai/sdk'
import { createAgent } from '@millrace/core'
import { startClaude, text } from '@millrace/testing'
import { deferred } from '@millrace/testing/async'
import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import { getEventListeners, once } from 'node:events'
import type { ServerResponse } from 'node:http'
import { createServer, Socket } from 'node:net'
import { createGzip, gzipSync } from 'node:zlib'
import { expect, onTestFinished, test } from 'vitest'
import { createNodeFetch, type NodeFetch } from '../src/index.ts'
import { listen, listenRaw, urlOf } from './support/listen.ts'

function fetchOf(): NodeFetch {
  const nodeFetch = createNodeFetch({ proxy: 'none' })
  onTestFinished(() => nodeFetch.close())
  return nodeFetch
}

/** `once` would reject for the reset that may come first. */
function closed(...sockets: readonly Socket[]): Promise<unknown> {
  const open = sockets.filter((socket) => !socket.closed)
  return Promise.all(open.map((socket) => new Promise<void>((resolve) => socket.once('close', () => resolve()))))
}

const head = 'HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n'
const chunked = `${head}transfer-encoding: chunked\r\n\r\n`

test.each([
  ['a reset before the answer', (socket: Socket) => socket.resetAndDestroy()],
  ['a close before the answer', (socket: Socket) => socket.end()],
  ['half of the headers', (socket: Socket) => socket.end(head)],
  ['garbage', (socket: Socket) => socket.end('?\r\n\r\n')],
])('rejects with the code of the system for %s', async (_name, fault) => {
  const { url } = await listenRaw(fault)
  const failed = fetchOf()(url, { method: 'POST', body: '{}' })
  await expect(failed).rejects.toMatchObject({
    name: 'TypeError',
    message: `the request to ${url} failed`,
    cause: { code: expect.stringMatching(/ECONNRESET|EPIPE|HPE_/) },
  })
})

test('rejects where nothing listens', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const url = urlOf(server)
  await once(server.close(), 'close')
  await expect(fetchOf()(url)).rejects.toMatchObject({ cause: { code: 'ECONNREFUSED' } })
})

test.each([
  ['a reset', `${chunked}4\r\nabcd\r\n`, (socket: Socket) => void socket.resetAndDestroy()],
  ['a close between chunks', `${chunked}4\r\nabcd\r\n`, (socket: Socket) => void socket.end()],
  ['a close inside a chunk', `${chunked}8\r\nabcd`, (socket: Socket) => void socket.end()],
  ['a body shorter than its length', `${head}content-length: 8\r\n\r\nabcd`, (socket: Socket) => void socket.end()],
])('fails the body for %s, after what came before it', async (_name, answer, end) => {
  const sockets: Socket[] = []
  const { url } = await listenRaw((socket) => {
    sockets.push(socket)
    socket.write(answer)
  })
  const response = await fetchOf()(url)
  const reader = response.body?.getReader()
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('abcd')
  for (const socket of sockets) end(socket)
  await expect(reader?.read()).rejects.toMatchObject({ code: 'ECONNRESET' })
})

test('fails a compressed body that is cut', async () => {
  const url = await listen((_req, res) => {
    res.setHeader('content-encoding', 'gzip').end(gzipSync('a text that is cut').subarray(0, -8))
  })
  await expect((await fetchOf()(url)).text()).rejects.toMatchObject({ code: 'Z_BUF_ERROR' })
})

test('gives out compressed events as they come', async () => {
  const gzip = createGzip()
  const url = await listen((_req, res) => {
    res.setHeader('content-encoding', 'gzip')
    gzip.pipe(res)
    gzip.write('first')
    gzip.flush()
  })
  const reader = (await fetchOf()(url)).body?.getReader()
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('first')
  gzip.end('second')
  expect(Buffer.from((await reader?.read())?.value ?? []).toString()).toBe('second')
  expect((await reader?.read())?.done).toBe(true)
})

test('returns an answer that comes before the body was sent', async () => {
  const { url } = await listenRaw((socket) => {
    socket.end('HTTP/1.1 413 Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig')
  })
  const endless = new ReadableStream<Uint8Array>({ pull: (controller) => controller.enqueue(new Uint8Array(1024)) })
  const response = await fetchOf()(url, { method: 'POST', body: endless })
  expect([response.status, await response.text()]).toEqual([413, 'big'])
})

test('rejects when the body to send fails', async () => {
  const url = await listen((req) => void req.resume())
  const body = new ReadableStream<Uint8Array>({ pull: (controller) => controller.error(new Error('no more')) })
  await expect(fetchOf()(url, { method: 'POST', body })).rejects.toMatchObject({ cause: { message: 'no more' } })
})

test('does not send what is aborted already', async () => {
  const { url, connections } = await listenRaw(() => undefined)
  const reason = new Error('stop')
  await expect(fetchOf()(url, { signal: AbortSignal.abort(reason) })).rejects.toBe(reason)
  expect(connections).toHaveLength(0)
})

test('aborts while it connects', async () => {
  const { url } = await listenRaw(() => undefined)
  const controller = new AbortController()
  const response = fetchOf()(url, { signal: controller.signal })
  controller.abort()
  await expect(response).rejects.toMatchObject({ name: 'AbortError' })
})

test.each([
  ['before the headers', ''],
  ['within the headers', head],
])('aborts %s, and closes the connection', async (_name, answer) => {
  const arrived = deferred<Socket>()
  const { url } = await listenRaw((socket) => {
    socket.write(answer)
    arrived.resolve(socket)
  })
  const controller = new AbortController()
  const response = fetchOf()(url, { method: 'POST', body: '{}', signal: controller.signal })
  const socket = await arrived.promise
  const reason = new Error('stop')
  controller.abort(reason)
  await expect(response).rejects.toBe(reason)
  await closed(socket)
})

test('aborts an upload, and stops reading its body', async () => {
  const { url } = await listenRaw(() => undefined)
  const controller = new AbortController()
  const cancelled = deferred()
  const started = deferred()
  const body = new ReadableStream<Uint8Array>({
    pull(stream) {
      started.resolve()
      stream.enqueue(new Uint8Array(1024))
    },
    cancel: () => cancelled.resolve(),
  })
  const response = fetchOf()(url, { method: 'POST', body, signal: controller.signal })
  await started.promise
  controller.abort()
  await expect(response).rejects.toMatchObject({ name: 'AbortError' })
  await cancelled.promise
})

test('aborts a body with the reason of the signal', async () => {
  const { url, connections } = await listenRaw((socket) => void socket.write(`${chunked}4\r\nabcd\r\n`))
  const controller = new AbortController()
  const reason = new Error('stop')
  const response = await fetchOf()(url, { signal: controller.signal })
  const reader = response.body?.getReader()
  await reader?.read()
  const rest = reader?.read()
  controller.abort(reason)
  await expect(rest).rejects.toBe(reason)
  await closed(...connections)
})

test('closes the connection of a body that is cancelled', async () => {
  const { url, connections } = await listenRaw((socket) => void socket.write(`${chunked}4\r\nabcd\r\n`))
  const response = await fetchOf()(url)
  expect(connections).toHaveLength(1)
  await response.body?.cancel()
  await closed(...connections)
})

test('opens no connection for streams that are aborted', async () => {
  const { url, connections } = await listenRaw((socket) => void socket.write(`${chunked}4\r\nabcd\r\n`))
  const nodeFetch = fetchOf()
  for (let index = 0; index < 20; index++) {
    const controller = new AbortController()
    const response = await nodeFetch(url, { method: 'POST', body: '{}', signal: controller.signal })
    await response.body?.getReader().read()
    controller.abort()
  }
  await closed(...connections)
  expect(connections).toHaveLength(20)
})

test('forgets the signal when the answer was read', async () => {
  const open: ServerResponse[] = []
  const url = await listen((_req, res) => {
    res.write('answer')
    open.push(res)
  })
  const { signal } = new AbortController()
  const nodeFetch = fetchOf()
  const response = await nodeFetch(url, { signal })
  expect(getEventListeners(signal, 'abort')).toHaveLength(1)
  open.shift()?.end()
  await response.text()
  // The connection serves the next request only after the first has let go of it, and of the signal.
  await (await nodeFetch(url)).body?.cancel()
  expect(getEventListeners(signal, 'abort')).toHaveLength(0)
})

test('stops reading from the socket while a body is not read', async () => {
  const full = deferred()
  const total = 64 * 1024 * 1024
  let sent = 0
  const url = await listen((_req, res) => {
    const block = Buffer.alloc(1024 * 1024)
    const write = (): void => {
      while (sent < total) {
        sent += block.length
        if (!res.write(block)) {
          setImmediate(() => full.resolve())
          res.once('drain', write)
          return
        }
      }
      res.end()
    }
    write()
  })
  const response = await fetchOf()(url)
  await full.promise
  // What the kernel holds of a connection on this machine is far less than the answer.
  expect(sent).toBeLessThan(total)
  expect((await response.arrayBuffer()).byteLength).toBe(total)
})

test('waits longer than the idle timeout for an answer', async () => {
  const sockets: Socket[] = []
  const onSocket = (message: unknown): void => {
    if (typeof message === 'object' && message !== null && 'socket' in message && message.socket instanceof Socket) {
      sockets.push(message.socket)
    }
  }
  subscribe('net.client.socket', onSocket)
  onTestFinished(() => void unsubscribe('net.client.socket', onSocket))
  const { url, connections } = await listenRaw((socket) => void socket.write(chunked))
  const nodeFetch = createNodeFetch({ proxy: 'none', idleTimeout: 10 })
  onTestFinished(() => nodeFetch.close())
  const response = await nodeFetch(url)
  await Promise.all(sockets.map((socket) => once(socket, 'timeout')))
  for (const socket of connections) socket.end('4\r\nabcd\r\n0\r\n\r\n')
  expect(await response.text()).toBe('abcd')
})

test('carries an agent through the faults of a stream', async () => {
  const claude = await startClaude({
    script: [{ content: [text('Four words, one by one.')] }],
    faults: [{ attempt: 1, kind: 'reset', at: { event: 4 } }],
  })
  onTestFinished(() => claude.close())
  const client = new Anthropic({ apiKey: 'key', baseURL: claude.url, fetch: fetchOf() })
  const agent = createAgent({ client, request: { model: 'claude-sonnet-5-5', max_tokens: 100 } })
  const { outcome, text: said } = await agent.run({ messages: [{ role: 'user', content: 'Hello' }] }).result
  expect([outcome, said]).toEqual(['completed', 'Four words, one by one.'])
})
