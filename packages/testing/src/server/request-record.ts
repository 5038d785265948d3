import type { Clock } from '../kit/clock.ts'
import { TestingError } from '../kit/errors.ts'
import type { JsonObject } from '../kit/guards.ts'

/** One request that the server received. Its fields are filled in while it is answered. */
export interface RequestRecord {
  /** 0-based, in order of arrival. */
  readonly index: number
  readonly method: string
  readonly path: string
  /** Request headers; the values of `authorization` and `x-api-key` read `[redacted]`. */
  readonly headers: { readonly [name: string]: string }
  /** Undefined until it was read, and for a body that is not a JSON object. */
  readonly body: JsonObject | undefined
  /** Turn and attempt, counted from 1. Both are 0 for a request that was refused. */
  readonly turn: number
  readonly attempt: number
  readonly stream: boolean
  /** The status of the answer. Undefined until headers are sent. */
  readonly status: number | undefined
  /** The faults that hit this request, such as `destroy@event:3`. */
  readonly faults: readonly string[]
  readonly bytesSent: number
  readonly startedAt: number
  readonly endedAt: number | undefined
  /** Who ended the exchange. Undefined while it lasts. */
  readonly closedBy: 'server' | 'client' | undefined
  /** What was wrong with the request, or what the script threw. */
  readonly error: string | undefined
}

/** A record that the server still writes to. */
export type OpenRecord = { -readonly [Field in keyof RequestRecord]: RequestRecord[Field] }

/** All requests so far, and promises for those to come. */
export interface RequestLog {
  readonly records: readonly RequestRecord[]
  open(request: { method: string; path: string; headers: RequestRecord['headers'] }): OpenRecord
  /** Must be called after a record was changed. */
  changed(): void
  waitFor(predicate: (record: RequestRecord) => boolean, signal?: AbortSignal): Promise<RequestRecord>
  next(signal?: AbortSignal): Promise<RequestRecord>
  close(): void
}

interface Waiter {
  readonly predicate: (record: RequestRecord) => boolean
  readonly resolve: (record: RequestRecord) => void
  readonly reject: (reason: unknown) => void
}

/** @param limit how many records are kept; the oldest go first */
export function createRequestLog(clock: Clock, limit: number): RequestLog {
  const records: OpenRecord[] = []
  const waiters = new Set<Waiter>()
  let count = 0
  let closed = false

  const settle = (): void => {
    for (const waiter of waiters) {
      const found = records.find(waiter.predicate)
      if (found !== undefined) {
        waiters.delete(waiter)
        waiter.resolve(found)
      }
    }
  }

  const waitFor: RequestLog['waitFor'] = (predicate, signal) => {
    const found = records.find(predicate)
    if (found !== undefined) return Promise.resolve(found)
    if (closed) return Promise.reject(serverClosed())
    signal?.throwIfAborted()
    return new Promise((resolve, reject) => {
      const abort = (): void => {
        waiters.delete(waiter)
        reject(signal?.reason)
      }
      const release = (): void => signal?.removeEventListener('abort', abort)
      const waiter: Waiter = {
        predicate,
        resolve: (record) => (release(), resolve(record)),
        reject: (reason) => (release(), reject(reason)),
      }
      waiters.add(waiter)
      signal?.addEventListener('abort', abort, { once: true })
    })
  }

  return {
    records,
    open({ method, path, headers }) {
      const record: OpenRecord = {
        index: count++,
        method,
        path,
        headers,
        body: undefined,
        turn: 0,
        attempt: 0,
        stream: false,
        status: undefined,
        faults: [],
        bytesSent: 0,
        startedAt: clock.now(),
        endedAt: undefined,
        closedBy: undefined,
        error: undefined,
      }
      records.push(record)
      if (records.length > limit) records.shift()
      settle()
      return record
    },
    changed: settle,
    waitFor,
    next(signal) {
      const seen = count
      return waitFor((record) => record.index >= seen, signal)
    },
    close() {
      closed = true
      for (const waiter of waiters) waiter.reject(serverClosed())
      waiters.clear()
    },
  }
}

function serverClosed(): TestingError {
  return new TestingError('server_closed', 'the scripted server was closed')
}
