import type { IncomingMessage, ServerResponse } from 'node:http'
import { parseFaultPlan } from '../faults/check-fault-plan.ts'
import type { Chunking } from '../stream/chunking.ts'
import { type Clock, systemClock } from '../kit/clock.ts'
import { checkNames, invalidOption } from '../kit/errors.ts'
import { type Meter, sendPlan } from './exchange.ts'
import { activateFaultPlan, type FaultPlan } from './fault-plan.ts'
import type { FaultRule } from '../faults/fault.ts'
import { openListener } from './listener.ts'
import { redactedHeaders } from './request-body.ts'
import { createRequestLog, type OpenRecord, type RequestLog, type RequestRecord } from './request-record.ts'
import { type Responder, respond } from './respond.ts'
import { checkScript, type Script } from '../script/script.ts'
import { createServerMemory } from './server-memory.ts'
import type { Pace } from '../script/turn.ts'

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

const optionNames: readonly (keyof ClaudeOptions)[] = [
  'script',
  'faults',
  'pace',
  'chunking',
  'validate',
  'port',
  'clock',
  'seed',
  'recordLimit',
]

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
  /** The requests so far, oldest first. */
  readonly requests: readonly RequestRecord[]
  readonly openSockets: number
  readonly stats: ClaudeStats
  /** Replaces the fault plan; the counts of its rules start at zero. */
  setFaults(plan: FaultPlan): void
  /** Replaces the script from the next request on. */
  setScript(script: Script): void
  /** Adds a rule: the socket is destroyed before the event of this index is sent. */
  cutAt(position: { readonly event: number } & Omit<FaultRule, 'kind' | 'at'>): void
  /**
   * Resolves with the first record, past or future, for which the predicate holds. Rejects when the server is closed or
   * on abort.
   */
  waitFor(predicate: (record: RequestRecord) => boolean, signal?: AbortSignal): Promise<RequestRecord>
  /** Resolves with the record of the next request to arrive. Its body and turn may not be known yet. */
  nextRequest(signal?: AbortSignal): Promise<RequestRecord>
  /** Destroys all connections and stops listening, so that the system refuses connections. */
  refuseConnections(): Promise<void>
  /** Listens again after `refuseConnections`, on the same port. */
  acceptConnections(): Promise<void>
  /** Destroys all connections and stops listening. May be called again. */
  close(): Promise<void>
  [Symbol.asyncDispose](): Promise<void>
}

/**
 * Starts a server on 127.0.0.1 that speaks the Messages API and answers from a script, streaming and not.
 *
 * Rejects with a `TestingError`: `invalid_option` for a wrong or unknown option, `listen_failed` for a port in use.
 */
export async function startClaude(options: ClaudeOptions): Promise<ScriptedClaude> {
  const { clock = systemClock, recordLimit = 10_000, port = 0 } = options
  checkNames(options, optionNames)
  checkScript(options.script, 'script')
  if (!Number.isInteger(port) || port < 0 || port > 65_535) throw invalidOption('port', 'must be 0 to 65535')
  let { script } = options
  let faults = activateFaultPlan(checkedPlan(options.faults ?? []))
  const log = createRequestLog(clock, recordLimit)
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
    pace: options.pace ?? 'fast',
    chunking: options.chunking ?? 'words',
    seed: options.seed ?? 1,
  }
  const exchanges: Exchanges = { responder, log, clock, totals }
  const listener = await openListener({
    port,
    // A request that is cut off while its body is read rejects here; its record says that the client left.
    handle: (request, response) => void handle(exchanges, request, response).catch(() => response.destroy()),
    changed: () => log.changed(),
  })
  const close = async (): Promise<void> => {
    await listener.close()
    log.close()
  }

  return {
    url: `http://127.0.0.1:${listener.port}`,
    port: listener.port,
    requests: log.records,
    get openSockets() {
      return listener.openSockets
    },
    get stats() {
      return { ...totals }
    },
    setFaults(plan) {
      faults = activateFaultPlan(checkedPlan(plan))
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
    refuseConnections: () => listener.refuse(),
    acceptConnections: () => listener.accept(),
    close,
    [Symbol.asyncDispose]: close,
  }
}

function checkedPlan(plan: FaultPlan): FaultPlan {
  return typeof plan === 'function' ? plan : parseFaultPlan(plan)
}

interface Exchanges {
  readonly responder: Responder
  readonly log: RequestLog
  readonly clock: Clock
  readonly totals: { -readonly [Field in keyof ClaudeStats]: ClaudeStats[Field] }
}

async function handle(exchanges: Exchanges, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const { responder, log, clock, totals } = exchanges
  const path = new URL(request.url ?? '/', 'http://localhost').pathname
  const record = log.open({ method: request.method ?? '', path, headers: redactedHeaders(request) })
  const gone = new AbortController()
  totals.requests++
  totals.openRequests++
  response.on('close', () => {
    record.endedAt = clock.now()
    record.closedBy ??= response.writableFinished ? 'server' : 'client'
    totals.openRequests--
    gone.abort()
    log.changed()
  })
  const plan = await respond(responder, request, record)
  log.changed()
  await sendPlan(plan, { response, clock, meter: createMeter(exchanges, record), signal: gone.signal })
}

function createMeter({ log, totals }: Exchanges, record: OpenRecord): Meter {
  return {
    started(status) {
      record.status = status
      log.changed()
    },
    sent(bytes) {
      record.bytesSent += bytes
      totals.bytesSent += bytes
    },
    blocked(isBlocked) {
      totals.blocked += isBlocked ? 1 : -1
      if (isBlocked) totals.blockedCount++
      log.changed()
    },
    cut() {
      record.closedBy = 'server'
    },
  }
}
