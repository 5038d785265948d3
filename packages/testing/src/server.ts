import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { Socket } from 'node:net'
import type { Chunking } from './chunking.ts'
import { type Clock, systemClock } from './clock.ts'
import { invalidOption, TestingError } from './errors.ts'
import { sendPlan } from './exchange.ts'
import { activateFaultPlan, type FaultPlan } from './fault-plan.ts'
import type { FaultRule } from './fault.ts'
import { redactedHeaders } from './request-body.ts'
import { createRequestLog, type OpenRecord, type RequestRecord } from './request-record.ts'
import { type Responder, respond } from './respond.ts'
import { checkScript, type Script } from './script.ts'
import { createServerMemory } from './server-memory.ts'
import type { Pace } from './turn.ts'

/** Options of `startClaude`. */
export interface ClaudeOptions {
  /** What the model answers. */
  readonly script: Script
  /** What goes wrong, and when. Default: nothing. */
  readonly faults?: FaultPlan
  /** How fast answers are sent. Default: `fast`. */
  readonly pace?: Pace
  /** How text is cut into deltas. Default: `words`. */
  readonly chunking?: Chunking
  /** Whether requests are refused that the API would refuse. Default: true. */
  readonly validate?: boolean
  /** Default: 0, any free port of 127.0.0.1. */
  readonly port?: number
  /** Default: the system's. */
  readonly clock?: Clock
  /** Makes ids reproducible. Default: 1. */
  readonly seed?: number
  /** How many request records, conversations and answers are kept, each; the oldest go first. Default: 10000. */
  readonly recordLimit?: number
}

/** Totals since the server was started. */
export interface ClaudeStats {
  /** Requests that arrived. */
  readonly requests: number
  /** Requests whose exchange has not ended. */
  readonly openRequests: number
  /** Bytes of response bodies that were handed to sockets, before transfer encoding. */
  readonly bytesSent: number
  /** Responses that wait because their client does not read. */
  readonly blocked: number
  /** How often a response had to wait for its client. */
  readonly blockedCount: number
}

/** A running scripted server. */
export interface ScriptedClaude {
  /** The base URL to give to a client, such as `http://127.0.0.1:40123`. */
  readonly url: string
  readonly port: number
  /** What was asked so far, oldest first. */
  readonly requests: readonly RequestRecord[]
  readonly openSockets: number
  readonly stats: ClaudeStats
  /** Replaces the fault plan; the counts of its rules start at zero. */
  setFaults(plan: FaultPlan): void
  /** Replaces the script from the next request on. */
  setScript(script: Script): void
  /** Adds a rule: the socket is destroyed before the event of this index is sent. */
  cutAt(position: { readonly event: number } & Omit<FaultRule, 'kind' | 'at'>): void
  /** The first record, past or future, for which the predicate holds. Rejects when the server is closed or on abort. */
  waitFor(predicate: (record: RequestRecord) => boolean, signal?: AbortSignal): Promise<RequestRecord>
  /** The record of the next request to arrive; its body and turn may not be known yet. */
  nextRequest(signal?: AbortSignal): Promise<RequestRecord>
  /** Destroys all connections and stops listening. May be called again. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts a server on 127.0.0.1 that speaks the Messages API and answers from a script, streaming and not.
 *
 * Rejects with a `TestingError`: `invalid_option` for a script of the wrong shape, `listen_failed` for a port in use.
 */
export async function startClaude(options: ClaudeOptions): Promise<ScriptedClaude> {
  const { clock = systemClock, recordLimit = 10_000, port = 0, pace = 'fast', chunking = 'words' } = options
  checkScript(options.script, 'script')
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw invalidOption('port', 'expected 0 to 65535')
  let script = options.script
  let faults = activateFaultPlan(options.faults ?? [])
  const log = createRequestLog(clock, recordLimit)
  const sockets = new Set<Socket>()
  const totals = { requests: 0, openRequests: 0, bytesSent: 0, blocked: 0, blockedCount: 0 }
  const responder: Responder = {
    get script() {
      return script
    },
    get faults() {
      return faults
    },
    memory: createServerMemory(recordLimit),
    validate: options.validate ?? true,
    pace,
    chunking,
    seed: options.seed ?? 1,
  }

  const handle = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    const record = log.open({ method: request.method ?? '', path, headers: redactedHeaders(request) })
    const gone = new AbortController()
    totals.requests++
    totals.openRequests++
    response.on('close', () => {
      finishRecord(record, response, clock)
      totals.openRequests--
      gone.abort()
      log.changed()
    })
    const plan = await respond(responder, request, record)
    const meter = {
      started(status: number): void {
        record.status = status
        log.changed()
      },
      sent(bytes: number): void {
        record.bytesSent += bytes
        totals.bytesSent += bytes
      },
      blocked(isBlocked: boolean): void {
        totals.blocked += isBlocked ? 1 : -1
        if (isBlocked) totals.blockedCount++
        log.changed()
      },
      cut(): void {
        record.closedBy = 'server'
      },
    }
    await sendPlan(plan, { response, clock, meter, signal: gone.signal })
  }

  const server = createServer((request, response) => {
    // A request that is cut off while its body is read rejects here; its record says that the client left.
    handle(request, response).catch(() => response.destroy())
  })
  // Timeouts of the server itself would look like faults that nobody asked for.
  server.requestTimeout = 0
  server.headersTimeout = 0
  server.keepAliveTimeout = 60_000
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => {
      sockets.delete(socket)
      log.changed()
    })
  })
  const openPort = await listen(server, port)

  let closing: Promise<void> | undefined
  const close = (): Promise<void> => {
    closing ??= new Promise((resolve) => {
      server.close(() => resolve())
      for (const socket of sockets) socket.destroy()
      log.close()
    })
    return closing
  }

  return {
    url: `http://127.0.0.1:${openPort}`,
    port: openPort,
    requests: log.records,
    get openSockets() {
      return sockets.size
    },
    get stats() {
      return { ...totals }
    },
    setFaults(plan) {
      faults = activateFaultPlan(plan)
    },
    setScript(replacement) {
      checkScript(replacement, 'script')
      script = replacement
    },
    cutAt({ event, ...match }) {
      faults.add({ kind: 'destroy', at: { event }, ...match })
    },
    waitFor: (predicate, signal) => log.waitFor(predicate, signal),
    nextRequest: (signal) => log.next(signal),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function finishRecord(record: OpenRecord, response: ServerResponse, clock: Clock): void {
  record.endedAt = clock.now()
  record.closedBy ??= response.writableFinished ? 'server' : 'client'
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(new TestingError('listen_failed', `cannot listen on 127.0.0.1:${port}`, { path: 'port', cause }))
    })
    server.listen(port, '127.0.0.1', () => {
      const address = server.address()
      if (address === null || typeof address === 'string') reject(new TestingError('listen_failed', 'no address'))
      else resolve(address.port)
    })
  })
}
