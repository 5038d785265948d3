import { once } from 'node:events'
import { Agent, createServer } from 'node:http'
import { brotliCompressSync, gzipSync } from 'node:zlib'
import { expect, onTestFinished, test, vi } from 'vitest'
import { createNodeFetch, type NodeFetch, type NodeFetchOptions } from '../src/index.ts'
import { readsProxies } from '../src/transport/agents.ts'
import { listen, urlOf } from './support/listen.ts'

function fetchOf(options?: NodeFetchOptions): NodeFetch {
  const nodeFetch = createNodeFetch({ proxy: 'none', ...options })
  onTestFinished(() => nodeFetch.close())
  return nodeFetch
}

function echo(): Promise<string> {
  return listen((req, res) => {
    const chunks: Buffer[] = []
    req.on('data', (chunk: Buffer) => chunks.push(chunk))
    req.on('end', () => {
      const { method, url, headers } = req
      res.setHeader('content-type', 'application/json')
      res.end(JSON.stringify({ method, url, headers, body: Buffer.concat(chunks).toString() }))
    })
  })
}

test('sends the method, the headers and the body, and returns status, headers and URL', async () => {
  const url = await listen((req, res) => {
    req.resume()
    res.writeHead(
      201,
      'Made',
      [
        ['x-two', 'a'],
        ['x-two', 'b'],
      ].flat(),
    )
    res.end(`${req.method} ${req.url} ${String(req.headers['x-one'])} ${req.headers['content-length']}`)
  })
  const response = await fetchOf()(`${url}/v1?a=1`, { method: 'post', headers: { 'X-One': '1' }, body: 'héllo' })
  expect([response.status, response.statusText, response.ok, response.url]).toEqual([
    201,
    'Made',
    true,
    `${url}/v1?a=1`,
  ])
  expect(response.headers.get('x-two')).toBe('a, b')
  expect(await response.text()).toBe('POST /v1?a=1 1 6')
})

test.each<[string, BodyInit, string | undefined]>([
  ['bytes', new TextEncoder().encode('body'), undefined],
  ['URL parameters', new URLSearchParams({ a: 'b' }), 'application/x-www-form-urlencoded;charset=UTF-8'],
  ['a blob', new Blob(['body'], { type: 'text/x' }), 'text/x'],
  ['a stream', new Blob(['body']).stream(), undefined],
])('sends %s as a body', async (_name, body, type) => {
  const url = await echo()
  const response = await fetchOf()(url, { method: 'POST', body })
  expect(await response.json()).toMatchObject({
    method: 'POST',
    body: body instanceof URLSearchParams ? 'a=b' : 'body',
    headers: { host: new URL(url).host, ...(type === undefined ? {} : { 'content-type': type }) },
  })
})

test('sends a form with its boundary', async () => {
  const form = new FormData()
  form.set('file', new Blob(['content']), 'a.txt')
  const sent: unknown = await (await fetchOf()(await echo(), { method: 'POST', body: form })).json()
  expect(sent).toMatchObject({ body: expect.stringContaining('filename="a.txt"') })
  expect(sent).toMatchObject({ headers: { 'content-type': expect.stringContaining('multipart/form-data; boundary=') } })
})

test('takes a Request', async () => {
  const request = new Request(`${await echo()}/path`, { method: 'PUT', body: 'body', headers: { 'x-a': 'b' } })
  const sent: unknown = await (await fetchOf()(request)).json()
  expect(sent).toMatchObject({ method: 'PUT', url: '/path', body: 'body', headers: { 'x-a': 'b' } })
})

test.each([
  ['gzip', gzipSync],
  ['br', brotliCompressSync],
])('reads %s, and asks for it only where the caller does', async (encoding, compress) => {
  const url = await listen((req, res) => {
    res.setHeader('x-accepts', req.headers['accept-encoding'] ?? '')
    res.setHeader('content-encoding', encoding)
    res.end(compress('compressed'))
  })
  const nodeFetch = fetchOf()
  const plain = await nodeFetch(url)
  expect(plain.headers.get('x-accepts')).toBe('identity')
  expect(await plain.text()).toBe('compressed')
  const asked = await nodeFetch(url, { headers: { 'accept-encoding': encoding } })
  expect(asked.headers.get('x-accepts')).toBe(encoding)
  expect(await asked.text()).toBe('compressed')
})

test('refuses an encoding that it cannot read', async () => {
  const url = await listen((_req, res) => void res.setHeader('content-encoding', 'zstd').end('?'))
  await expect(fetchOf()(url)).rejects.toThrow('the content encoding "zstd"')
})

test.each([204, 304])('has no body for a %i', async (status) => {
  const url = await listen((_req, res) => void res.writeHead(status).end())
  const response = await fetchOf()(url)
  expect([response.status, response.body]).toEqual([status, null])
})

test('has no body for HEAD', async () => {
  const url = await listen((_req, res) => void res.setHeader('content-encoding', 'gzip').end('body'))
  expect((await fetchOf()(url, { method: 'HEAD' })).body).toBeNull()
})

test('ignores trailers', async () => {
  const url = await listen((_req, res) => {
    res.writeHead(200, { trailer: 'x-checksum' }).write('body')
    res.addTrailers({ 'x-checksum': '1' })
    res.end()
  })
  const response = await fetchOf()(url)
  expect(await response.text()).toBe('body')
  expect(response.headers.has('x-checksum')).toBe(false)
})

test('refuses a redirect, so that a key never goes to another host', async () => {
  let seen = 0
  const other = await listen((_req, res) => void res.end(String(seen++)))
  const url = await listen((_req, res) => void res.writeHead(307, { location: other }).end())
  const nodeFetch = fetchOf()
  const init = { method: 'POST', body: '{}', headers: { 'x-api-key': 'key' } }
  await expect(nodeFetch(url, init)).rejects.toThrow('was redirected (307)')
  await expect(nodeFetch(url, { ...init, redirect: 'follow' })).rejects.toThrow('redirects are refused')
  const manual = await nodeFetch(url, { ...init, redirect: 'manual' })
  expect([manual.status, manual.headers.get('location')]).toEqual([307, other])
  expect(seen).toBe(0)
})

test('uses one connection for requests that follow each other', async () => {
  const ports = new Set<number | undefined>()
  const url = await listen((req, res) => {
    ports.add(req.socket.remotePort)
    req.resume().on('end', () => res.end('answer'))
  })
  const nodeFetch = fetchOf()
  for (let index = 0; index < 5; index++) await (await nodeFetch(url, { method: 'POST', body: '{}' })).text()
  expect(ports.size).toBe(1)
})

test('uses the agent that it is given', async () => {
  const url = await listen((_req, res) => void res.end())
  const agent = new Agent({ keepAlive: true })
  const freed = once(agent, 'free')
  expect((await fetchOf({ agent })(url)).status).toBe(200)
  await freed
})

function stubProxies(values: Readonly<Record<'http_proxy' | 'https_proxy' | 'no_proxy', string>>): void {
  onTestFinished(() => void vi.unstubAllEnvs())
  for (const [name, value] of Object.entries(values)) {
    vi.stubEnv(name, value)
    vi.stubEnv(name.toUpperCase(), value)
  }
}

const canProxy = readsProxies(process.versions.node)

test.runIf(canProxy)('connects through the proxy of the environment, except to hosts in NO_PROXY', async () => {
  const asked: string[] = []
  const proxy = await listen((req, res) => void res.end(`proxied ${asked.push(req.url ?? '')}`))
  const url = await listen((_req, res) => void res.end('direct'))
  const read = async (options: NodeFetchOptions): Promise<string> => (await fetchOf(options)(`${url}/v1`)).text()
  stubProxies({ http_proxy: proxy, https_proxy: '', no_proxy: '' })
  expect(await read({ proxy: 'environment' })).toBe('proxied 1')
  expect(asked).toEqual([`${url}/v1`])
  expect(await read({ proxy: 'none' })).toBe('direct')
  stubProxies({ http_proxy: proxy, https_proxy: '', no_proxy: '127.0.0.1' })
  expect(await read({ proxy: 'environment' })).toBe('direct')
})

test.runIf(canProxy)('asks the proxy for a tunnel to an https host', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const asked = new Promise<string | undefined>((resolve) => {
    server.on('connect', (req, socket) => {
      resolve(req.url)
      socket.end('HTTP/1.1 502 Bad Gateway\r\n\r\n')
    })
  })
  stubProxies({ http_proxy: '', https_proxy: urlOf(server), no_proxy: '' })
  await expect(fetchOf({ proxy: 'environment' })('https://api.example.test/v1')).rejects.toThrow(
    'the request to https://api.example.test failed',
  )
  expect(await asked).toBe('api.example.test:443')
})

test.runIf(!canProxy)('refuses to go past a proxy that this Node cannot use', () => {
  stubProxies({ http_proxy: 'http://127.0.0.1:1', https_proxy: '', no_proxy: '' })
  expect(() => createNodeFetch()).toThrow('names a proxy, which node:http of Node')
})

test.each([
  ['20.20.2', false],
  ['22.20.0', false],
  ['22.21.0', true],
  ['23.11.0', false],
  ['24.4.1', false],
  ['24.5.0', true],
  ['26.0.0', true],
])('knows whether Node %s reads proxies', (version, expected) => {
  expect(readsProxies(version)).toBe(expected)
})

test('refuses options that do not exist or are wrong', () => {
  const misspelt: object = { idleTimeuot: 1 }
  expect(() => createNodeFetch(misspelt)).toThrow('unknown option "idleTimeuot"; did you mean "idleTimeout"?')
  expect(() => createNodeFetch({ idleTimeout: -1 })).toThrow('idleTimeout must be a number of milliseconds')
})

test('refuses what would be ignored in silence', async () => {
  const nodeFetch = fetchOf()
  await expect(nodeFetch('ftp://127.0.0.1/')).rejects.toThrow('the URL scheme must be http or https, not "ftp:"')
  const ofUndici: object = { dispatcher: {} }
  await expect(nodeFetch('http://127.0.0.1/', ofUndici)).rejects.toThrow('"dispatcher" belongs to')
})
