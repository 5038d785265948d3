import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { nodeExchange, sendResponse, sendRun, sendToHandler, toNodeListener, toRequest } from '../src/index.ts'
import { listen } from './support/listen.ts'
import { delta, runOf, untilAborted } from './support/runs.ts'

test('a Request has the method, the path, the headers and the body', async () => {
  const url = await listen(
    toNodeListener({
      async fetch(request) {
        const { pathname, search, host } = new URL(request.url)
        return Response.json({
          method: request.method,
          path: pathname + search,
          host,
          header: request.headers.get('x-a'),
          body: await request.text(),
        })
      },
    }),
  )
  const headers = { 'x-a': '1' }
  const response = await fetch(`${url}/p/q?r=1`, { method: 'POST', headers, body: 'hello' })
  expect(await response.json()).toEqual({
    method: 'POST',
    path: '/p/q?r=1',
    host: new URL(url).host,
    header: '1',
    body: 'hello',
  })
})

test('a body that other middleware has parsed is given again', async () => {
  const url = await listen((req, res) => {
    req.resume()
    req.once('end', () => {
      Object.assign(req, { body: { a: 1 } })
      toNodeListener({ fetch: async (request) => new Response(await request.text()) })(req, res)
    })
  })
  const response = await fetch(url, {
    method: 'POST',
    body: '{"a":1}',
    headers: { 'content-type': 'application/json' },
  })
  expect(await response.json()).toEqual({ a: 1 })
})

test.each([
  ['bytes', Buffer.from('{"a":1}')],
  ['text', '{"a":1}'],
])('a body that other middleware has kept as %s is given as it is', async (_name, body) => {
  const url = await listen((req, res) => {
    req.resume().once('end', () => {
      Object.assign(req, { body })
      toNodeListener({ fetch: async (request) => new Response(await request.text()) })(req, res)
    })
  })
  expect(await (await fetch(url, { method: 'POST', body: '{"a":1}' })).json()).toEqual({ a: 1 })
})

test('a body that other middleware has read and not kept fails when it is read', async () => {
  const url = await listen((req, res) => {
    req.resume().once('end', () => {
      const failed = (error: unknown): Response => new Response(String(error))
      toNodeListener({ fetch: (request) => request.text().then(() => new Response('read'), failed) })(req, res)
    })
  })
  const response = await fetch(url, { method: 'POST', body: '{"a":1}' })
  expect(await response.text()).toContain('mount the handler before the middleware that reads bodies')
})

test('headers of other middleware stay, and cookies are added', async () => {
  const url = await listen((_req, res) => {
    res.setHeader('access-control-allow-origin', '*')
    res.setHeader('set-cookie', 'a=1')
    void sendResponse(
      new Response('x', {
        status: 201,
        headers: [
          ['set-cookie', 'b=2'],
          ['set-cookie', 'c=3'],
        ],
      }),
      res,
    )
  })
  const response = await fetch(url)
  expect(response.status).toBe(201)
  expect(response.headers.get('access-control-allow-origin')).toBe('*')
  expect(response.headers.getSetCookie()).toEqual(['a=1', 'b=2', 'c=3'])
})

test('the status is there before the first byte of the body', async () => {
  let begin = (): void => undefined
  const url = await listen(
    toNodeListener({
      fetch: async () =>
        new Response(
          new ReadableStream({
            start(controller) {
              begin = () => {
                controller.enqueue(new TextEncoder().encode('x'))
                controller.close()
              }
            },
          }),
        ),
    }),
  )
  const response = await fetch(url)
  expect(response.status).toBe(200)
  begin()
  expect(await response.text()).toBe('x')
})

test('a body that fails cuts the connection: it must not look whole', async () => {
  const failing = new ReadableStream({
    pull(controller) {
      controller.enqueue(new TextEncoder().encode('x'))
      controller.error(new Error('inside'))
    },
  })
  const url = await listen(toNodeListener({ fetch: async () => new Response(failing) }))
  const whole = fetch(url).then((response) => response.text())
  await expect(whole).rejects.toThrow('terminated')
})

test('a client that leaves aborts the request, and cancels the body, also in the middle of a write', async () => {
  let signal: AbortSignal | undefined
  const cancelled = new Promise<void>((resolve) => {
    const url = listen(
      toNodeListener({
        fetch: async (request) => {
          signal = request.signal
          const chunk = new Uint8Array(1_000_000)
          const pull = (controller: ReadableStreamDefaultController): void => controller.enqueue(chunk)
          return new Response(new ReadableStream({ pull, cancel: () => resolve() }, { highWaterMark: 0 }))
        },
      }),
    )
    void url.then(async (where) => {
      const socket = connect(Number(new URL(where).port), '127.0.0.1')
      socket.write('GET / HTTP/1.1\r\nhost: x\r\n\r\n')
      await once(socket, 'readable')
      socket.destroy()
    })
  })
  await cancelled
  expect(signal?.aborted).toBe(true)
})

test('req and res are there for who asks, and for no other Request', async () => {
  const url = await listen((req, res) => {
    const request = toRequest(req, res)
    expect(nodeExchange(request)).toEqual({ req, res })
    res.end()
  })
  await fetch(url)
  expect(() => nodeExchange(new Request(url))).toThrow(expect.objectContaining({ code: 'invalid_input' }))
})

test('sendRun sends in the format that is accepted', async () => {
  const url = await listen(
    (_req, res) =>
      void sendRun(
        runOf(({ emit }) => emit(delta('Hello'))),
        res,
      ),
  )
  expect(await (await fetch(url)).text()).toContain('id: 1\ndata: {"type":"text.delta"')
  const json = await fetch(url, { headers: { accept: 'application/json' } })
  expect(await json.json()).toMatchObject({ outcome: 'completed' })
  expect((await fetch(url, { headers: { accept: 'text/html' } })).status).toBe(406)
})

test('sendRun ends a run whose client leaves, where it is told to', async () => {
  const run = runOf((_script, signal) => untilAborted(signal))
  const url = await listen((_req, res) => void sendRun(run, res, { onDisconnect: 'cancel' }))
  const response = await fetch(url)
  await response.body?.cancel()
  expect(await run.result).toMatchObject({ outcome: 'interrupted' })
})

test('what is no handler, no run and no response is refused, with its path', async () => {
  const agent = { run: () => runOf(({ emit }) => emit(delta('x'))) }
  // As JavaScript may call it.
  expect(() => Reflect.apply(toNodeListener, undefined, [agent])).toThrow(
    expect.objectContaining({
      code: 'invalid_option',
      path: 'handler',
      message: expect.stringContaining('createHandler({ agent, runs })'),
    }),
  )
  for (const [call, args, path] of [
    [sendToHandler, [agent], 'handler'],
    [sendRun, [agent, {}], 'run'],
    [sendRun, [agent.run(), {}], 'res'],
  ] as const) {
    await expect(Reflect.apply(call, undefined, args)).rejects.toMatchObject({ code: 'invalid_option', path })
  }
})

/** Sends bytes that fetch would not, and gives the status and the body of the answer. */
async function raw(url: string, head: string): Promise<{ readonly status: number; readonly body: string }> {
  const socket = connect(Number(new URL(url).port), '127.0.0.1').setEncoding('latin1')
  socket.end(`${head}\r\nconnection: close\r\n\r\n`)
  let answer = ''
  for await (const text of socket) answer += String(text)
  const [first = '', ...rest] = answer.split('\r\n\r\n')
  return { status: Number(first.split(' ', 2)[1]), body: rest.join('\r\n\r\n') }
}

test.each([
  ['/runs/x?y=1', 'h:8080', 'http://h:8080/runs/x?y=1'],
  ['/runs/x', '[::1]:80', 'http://[::1]/runs/x'],
  ['/runs/x', '', 'http://localhost/runs/x'],
  ['//runs/x', 'h', 'http://h//runs/x'],
  ['http://other/runs/x?y=1', 'h', 'http://other/runs/x?y=1'],
  ['HTTP://other', 'h', 'http://other/'],
  ['http://other?y=1', 'h', 'http://other/?y=1'],
  ['/runs/x?next=/../y', 'h', 'http://h/runs/x?next=/../y'],
])('the target %s with the host "%s" is %s', async (target, host, expected) => {
  let seen = ''
  const url = await listen(
    toNodeListener({
      async fetch(request) {
        seen = request.url
        return new Response(null)
      },
    }),
  )
  expect(await raw(url, `GET ${target} HTTP/1.1\r\nhost: ${host}`)).toMatchObject({ status: 200 })
  expect(seen).toBe(expected)
})

test.each([
  ['/runs', 'h/runs/x/cancel?'],
  ['/runs', 'h/runs/x#'],
  ['/runs', 'h\\runs\\x?'],
  ['/runs', 'user:password@h'],
  ['/runs', 'h:99999'],
  ['/runs', 'a b'],
  ['/public/../runs', 'h'],
  ['/public/%2e%2E/runs', 'h'],
  ['/runs/.', 'h'],
  ['/public\\..\\runs', 'h'],
  ['/runs#x', 'h'],
  ['http://user@other/runs', 'h'],
  ['http://other/public/../runs', 'h'],
])('the target %s with the host "%s" is refused, and no handler sees it', async (target, host) => {
  const url = await listen(toNodeListener({ fetch: async () => new Response('seen') }))
  expect(await raw(url, `GET ${target} HTTP/1.1\r\nhost: ${host}`)).toMatchObject({ status: 400, body: '' })
})

test('a Response that cannot be sent is a 500, without its headers, and the process lives', async () => {
  const used = new Response('x')
  await used.text()
  const locked = new Response('x')
  locked.body?.getReader()
  const responses = [
    used,
    locked,
    Response.error(),
    new Response('x', { headers: { 'x-first': '1', 'x-second': '\u0001' } }),
  ]
  const url = await listen((req, res) => {
    res.setHeader('x-before', 'kept')
    toNodeListener({ fetch: async () => responses.shift() ?? new Response() })(req, res)
  })
  while (responses.length > 0) {
    const response = await fetch(url)
    expect([response.status, await response.text()]).toEqual([500, ''])
    expect(response.headers.get('x-before')).toBe('kept')
    expect(response.headers.has('x-first')).toBe(false)
  }
})

test('a handler that rejects is a 500, and the process lives', async () => {
  const url = await listen(toNodeListener({ fetch: () => Promise.reject(new Error('not ours')) }))
  expect((await fetch(url)).status).toBe(500)
})

test('the handler learns from which address a request comes', async () => {
  let address: string | undefined
  const handler = {
    fetch: async () => new Response(),
    async handle(_request: Request, mount: { readonly address?: string | undefined }) {
      address = mount.address
      return new Response()
    },
  }
  await fetch(await listen(toNodeListener(handler)))
  expect(address).toBe('127.0.0.1')
})
