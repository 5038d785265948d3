import {
  type ClientRequest,
  createServer,
  Agent as HttpAgent,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type OutgoingHttpHeaders,
  request as requestHttp,
  type ServerResponse,
} from 'node:http'
import { Agent as HttpsAgent, request as requestHttps } from 'node:https'
import { aCount, aFunction, checkOptions, rule, withMethods } from '@millrace/core/kit'
import { ParityError } from '../kit/errors.ts'
import { tell } from '../kit/tell.ts'
import type { OpenExchange } from '../record/open-exchange.ts'
import type { Recorder } from '../record/recorder.ts'
import { isMessagesPath } from '../record/recording-fetch.ts'
import { acceptable, decodeBody } from './decode-body.ts'
import { closeServer, listenLocally } from './listen.ts'

export interface RecordingProxyOptions {
  /** Where requests go on to, such as `https://api.anthropic.com`. */
  readonly upstream: string
  readonly recorder: Recorder
  /** Default: 0, any free port of 127.0.0.1. */
  readonly port?: number
  /** Bytes that a compressed answer may become. Default: 32 MiB. */
  readonly maxBodyBytes?: number
  /** Told of an upstream that cannot be reached. Default: nobody. */
  readonly onProblem?: (problem: ParityError) => void
}

export interface RecordingProxy {
  /** What `ANTHROPIC_BASE_URL` is set to. */
  readonly url: string
  /** Stops listening and closes every connection. */
  close(): Promise<void>
}

/** Headers of one connection, and those that the next one sets itself. */
const ofTheConnection: ReadonlySet<string> = new Set([
  'connection',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
])

/**
 * Starts a reverse proxy on 127.0.0.1 that records what goes to the Messages API, for a loop in any language.
 * Everything passes unchanged in both directions, only as fast as it is read, and other paths pass unrecorded. If the
 * upstream cannot be reached or cuts its answer, the connection to the loop is closed, as it would be without the
 * proxy.
 *
 * Rejects with a MillraceError `invalid_option` or `unknown_option`, or a ParityError `listen_failed`.
 */
export async function startRecordingProxy(options: RecordingProxyOptions): Promise<RecordingProxy> {
  checkProxyOptions(options)
  const base = new URL(options.upstream)
  const isSecure = base.protocol === 'https:'
  const agent = isSecure ? new HttpsAgent({ keepAlive: true }) : new HttpAgent({ keepAlive: true })
  const send = isSecure ? requestHttps : requestHttp
  const server = createServer((request, response) => {
    const [path = '', query] = (request.url ?? '/').split('?')
    const url = new URL(base)
    url.pathname = `${base.pathname.replace(/\/$/, '')}${path}`
    url.search = query === undefined ? '' : `?${query}`
    const isRecorded = request.method === 'POST' && isMessagesPath(path)
    const isBeta = new URLSearchParams(query).get('beta') === 'true'
    const exchange = isRecorded
      ? options.recorder.open({ header: (name) => textOf(request.headers[name]), isBeta })
      : undefined
    const headers = {
      ...passedOn(request.headers),
      'accept-encoding': acceptable(textOf(request.headers['accept-encoding'])),
    }
    const upstream = send(url, { method: request.method ?? 'GET', headers, agent })
    connect({ request, response, upstream, exchange, options, origin: base.origin })
  })
  // A model may take longer than Node's default time limits.
  server.requestTimeout = 0
  server.headersTimeout = 0
  const url = await listenLocally(server, options.port)
  return {
    url,
    async close() {
      await closeServer(server)
      agent.destroy()
    },
  }
}

interface Connection {
  readonly request: IncomingMessage
  readonly response: ServerResponse
  readonly upstream: ClientRequest
  readonly exchange: OpenExchange | undefined
  readonly options: RecordingProxyOptions
  readonly origin: string
}

function connect({ request, response, upstream, exchange, options, origin }: Connection): void {
  const { maxBodyBytes = 32 * 1024 * 1024, onProblem } = options
  let answered = false
  request.on('data', (bytes: Uint8Array) => exchange?.requestBytes(bytes))
  request.on('end', () => exchange?.requestEnd())
  request.pipe(upstream)
  upstream.on('error', (cause) => {
    if (!answered && !response.destroyed) {
      const what = `the upstream ${origin} could not be reached (${codeOf(cause)})`
      tell(onProblem, new ParityError('upstream_failed', what, { cause }))
    }
    exchange?.fail(response.destroyed ? 'client_left' : answered ? 'cut' : 'connection_failed')
    response.destroy()
  })
  upstream.on('response', (answer) => {
    answered = true
    const header = (name: string): string | undefined => textOf(answer.headers[name])
    exchange?.answerHead(answer.statusCode ?? 502, header, (bytes) =>
      decodeBody(bytes, header('content-encoding'), maxBodyBytes),
    )
    response.writeHead(answer.statusCode ?? 502, passedOn(answer.headers))
    response.flushHeaders()
    answer.on('data', (bytes: Uint8Array) => exchange?.answerBytes(bytes))
    answer.on('end', () => exchange?.answerEnd())
    answer.on('close', () => {
      if (answer.complete) return
      exchange?.fail(response.destroyed ? 'client_left' : 'cut')
      response.destroy()
    })
    answer.on('error', () => {})
    answer.pipe(response)
  })
  response.on('error', () => {})
  response.on('close', () => {
    if (response.writableFinished) return
    // The loop has left, so the upstream need not answer any longer.
    exchange?.fail('client_left')
    upstream.destroy()
  })
}

const anUpstream = rule(isHttpUrl, 'must be an http or https URL, such as "https://api.anthropic.com"')
const aRecorder = withMethods('open')

const rules = {
  upstream: anUpstream,
  recorder: aRecorder,
  port: rule((value) => Number.isInteger(value) && Number(value) >= 0 && Number(value) <= 65_535, 'must be 0 to 65535'),
  maxBodyBytes: aCount(1),
  onProblem: aFunction,
}

function checkProxyOptions(options: unknown): void {
  const { upstream, recorder } = checkOptions(options, '', rules)
  anUpstream(upstream, 'upstream')
  aRecorder(recorder, 'recorder')
}

function isHttpUrl(value: unknown): boolean {
  return typeof value === 'string' && URL.canParse(value) && /^https?:$/.test(new URL(value).protocol)
}

function passedOn(headers: IncomingHttpHeaders): OutgoingHttpHeaders {
  return Object.fromEntries(Object.entries(headers).filter(([name]) => !ofTheConnection.has(name)))
}

function textOf(header: string | readonly string[] | undefined): string | undefined {
  return typeof header === 'string' ? header : header?.join(', ')
}

function codeOf(error: Error): string {
  return 'code' in error && typeof error.code === 'string' ? error.code : 'unknown error'
}
