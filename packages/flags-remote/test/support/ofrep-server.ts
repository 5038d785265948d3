// A real OFREP server, in a process of its own: flagd's evaluation behind the endpoints of the protocol. The token of a
// request decides which of its refusals it meets.
import type { EvaluationContext } from '@openfeature/core'
import { FlagdCore } from '@openfeature/flagd-core'
import { createHash } from 'node:crypto'
import { createServer, type ServerResponse } from 'node:http'

const silent = { error() {}, warn() {}, info() {}, debug() {} }
const core = new FlagdCore(undefined, silent)
const variants = { on: true, off: false }
const define = (on: boolean, targeting?: unknown) => ({
  state: 'ENABLED',
  variants,
  defaultVariant: on ? 'on' : 'off',
  targeting,
})
let killed = false
const load = (): void => {
  const flags = {
    use_streaming: define(false, { if: [{ ends_with: [{ var: 'email' }, '@corp.example'] }, 'on', null] }),
    'use_streaming.kill': define(killed),
    'use_streaming.tool.bash': define(false),
    'use_streaming.tool.*': define(false, { if: [{ ends_with: [{ var: 'email' }, '@corp.example'] }, 'on', null] }),
    broken: define(false, { if: [true, 'nothing', 'off'] }),
    theme: { state: 'ENABLED', variants: { dark: 'd' }, defaultVariant: 'dark', metadata: { owner: 'web' } },
    limit: { state: 'ENABLED', variants: { low: 1, high: 2.5 }, defaultVariant: 'low' },
    layout: { state: 'ENABLED', variants: { wide: { columns: 3 } }, defaultVariant: 'wide' },
    retired: { state: 'DISABLED', variants, defaultVariant: 'on' },
  }
  core.setConfigurations(JSON.stringify({ flags }))
}
load()

type Answer = { readonly status: number; readonly body?: unknown; readonly headers?: Record<string, string> }

const refusals: Readonly<Record<string, Answer>> = {
  'Bearer wrong': { status: 401 },
  'Bearer of another': { status: 403 },
  'Bearer impatient': { status: 429, headers: { 'retry-after': '7' } },
  'Bearer impatient, dated': { status: 429, headers: { 'retry-after': new Date(Date.now() + 60_000).toISOString() } },
  // The document asks for no code here; the protocol's own client does.
  'Bearer unlucky': { status: 500, body: { errorCode: 'GENERAL', errorDetails: 'details of the upstream' } },
}

const reasons = new Set(['STATIC', 'TARGETING_MATCH', 'SPLIT', 'DISABLED'])

/** One flag, as OFREP shows it. */
function show(key: string, context: EvaluationContext): Record<string, unknown> {
  const flag = core.getFlag(key)
  if (flag === undefined) return { key, errorCode: 'FLAG_NOT_FOUND', errorDetails: 'details of the upstream' }
  // No value: the default of the code is to hold.
  if (flag.state === 'DISABLED') return { key, reason: 'DISABLED' }
  const { value, variant, reason, errorCode, flagMetadata } = flag.evaluate(context, silent)
  if (errorCode !== undefined) return { key, errorCode, errorDetails: 'details of the upstream' }
  return { key, value, variant, reason: reasons.has(reason) ? reason : 'UNKNOWN', metadata: flagMetadata }
}

/** The context of a request; undefined where it is none that the protocol allows. */
function readContext(text: string): EvaluationContext | undefined {
  try {
    const body: unknown = JSON.parse(text)
    const context = typeof body === 'object' && body !== null && 'context' in body ? body.context : undefined
    if (typeof context !== 'object' || context === null || !('targetingKey' in context)) return undefined
    const { targetingKey, ...attributes } = context
    return typeof targetingKey === 'string' ? { ...attributes, targetingKey } : undefined
  } catch {
    return undefined
  }
}

function evaluateOne(key: string, text: string): Answer {
  const context = readContext(text)
  if (context === undefined) return { status: 400, body: { key, errorCode: 'INVALID_CONTEXT' } }
  const body = show(key, context)
  if (body['errorCode'] === undefined) return { status: 200, body }
  return { status: body['errorCode'] === 'FLAG_NOT_FOUND' ? 404 : 400, body }
}

function evaluateAll(text: string, known: string | undefined): Answer {
  const context = readContext(text)
  if (context === undefined) return { status: 400, body: { errorCode: 'INVALID_CONTEXT' } }
  const flags = Array.from(core.getFlags().keys(), (key) => show(key, context))
  const etag = `"${createHash('sha256').update(JSON.stringify(flags)).digest('hex')}"`
  if (known === etag) return { status: 304, headers: { etag } }
  const eventStreams = [{ type: 'sse', endpoint: { requestUri: '/changes' }, inactivityDelaySec: 120 }]
  return { status: 200, body: { flags, eventStreams, metadata: { version: '1' } }, headers: { etag } }
}

const listeners = new Set<ServerResponse>()

function change(): void {
  killed = true
  load()
  const data = JSON.stringify({ type: 'refetchEvaluation', lastModified: Math.floor(Date.now() / 1000) })
  for (const listener of listeners) listener.write(`id: 1\ndata: ${data}\n\n`)
}

const server = createServer((request, response) => {
  const { url = '', method, headers } = request
  if (url === '/changes') {
    response.writeHead(200, { 'content-type': 'text/event-stream' }).flushHeaders()
    listeners.add(response)
    response.on('close', () => listeners.delete(response))
    return
  }
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const send = (answer: Answer): void => {
      const json = answer.body === undefined ? {} : { 'content-type': 'application/json' }
      const text = answer.body === undefined ? undefined : JSON.stringify(answer.body)
      response.writeHead(answer.status, { ...json, ...answer.headers }).end(text)
    }
    if (url === '/kill') {
      change()
      return send({ status: 200, body: {} })
    }
    const [, base, key] = /^(\/ofrep\/v1\/evaluate\/flags)(?:\/(.+))?$/.exec(url) ?? []
    if (base === undefined || method !== 'POST') return send({ status: 404, body: {} })
    const refusal = refusals[headers.authorization ?? '']
    if (refusal !== undefined) return send(refusal)
    const text = Buffer.concat(chunks).toString()
    return send(
      key === undefined ? evaluateAll(text, headers['if-none-match']) : evaluateOne(decodeURIComponent(key), text),
    )
  })
})
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  if (typeof address === 'object' && address !== null) process.stdout.write(`${address.port}\n`)
})
