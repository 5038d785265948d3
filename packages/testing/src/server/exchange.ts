import type { ServerResponse } from 'node:http'
import { type Clock, wait } from '../kit/clock.ts'
import { formatEvent } from '../stream/sse.ts'
import type { ResponsePlan, Step } from './response-plan.ts'

/** What the server counts while it answers. */
export interface Meter {
  /** Headers were sent. */
  started(status: number): void
  /** Bytes of a body were handed to the socket. */
  sent(bytes: number): void
  /** A write found the socket full, or it drained again. */
  blocked(isBlocked: boolean): void
  /** The server is about to break the connection off. */
  cut(): void
}

interface Exchange {
  readonly response: ServerResponse
  readonly clock: Clock
  readonly meter: Meter
  readonly signal: AbortSignal
}

const ping = new TextEncoder().encode(formatEvent({ type: 'ping' }))

/**
 * Carries out a plan on a response, one step at a time. Resolves when the body has ended, the plan has closed the
 * socket, or `signal` aborts, which it does when the connection is gone.
 */
export async function sendPlan(plan: ResponsePlan, exchange: Exchange): Promise<void> {
  const { response, signal } = exchange
  for (const step of plan.beforeHeaders) {
    if (!(await takeStep(step, exchange))) return
  }
  if (signal.aborted) return
  response.writeHead(plan.status, plan.headers)
  exchange.meter.started(plan.status)
  response.flushHeaders()
  for (const step of plan.steps) {
    if (!(await takeStep(step, exchange))) return
  }
  if (!signal.aborted) response.end()
}

/** Takes a step. Resolves with whether another one may follow. */
async function takeStep(step: Step, exchange: Exchange): Promise<boolean> {
  const { response, clock, signal } = exchange
  if (signal.aborted) return false
  switch (step.type) {
    case 'bytes':
      return await write(step.bytes, exchange)
    case 'wait':
      await wait(clock, step.ms, signal)
      return !signal.aborted
    case 'hang':
      await hang(step.pingEvery, exchange)
      return false
    case 'destroy':
      await flushed(exchange)
      exchange.meter.cut()
      response.socket?.destroy()
      return false
    case 'reset':
      await flushed(exchange)
      exchange.meter.cut()
      response.socket?.resetAndDestroy()
      return false
    case 'break-chunk':
      await flushed(exchange)
      exchange.meter.cut()
      response.socket?.end(Buffer.concat([Buffer.from(`${(step.bytes.length + 64).toString(16)}\r\n`), step.bytes]))
      return false
    default:
      return step satisfies never
  }
}

async function write(bytes: Uint8Array, exchange: Exchange): Promise<boolean> {
  const { response, meter, signal } = exchange
  if (bytes.length === 0) return true
  const isRoomLeft = response.write(bytes)
  meter.sent(bytes.length)
  if (isRoomLeft) return true
  meter.blocked(true)
  await drained(response, signal)
  meter.blocked(false)
  return !signal.aborted
}

function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    const done = (): void => {
      response.off('drain', done)
      signal.removeEventListener('abort', done)
      resolve()
    }
    response.on('drain', done)
    signal.addEventListener('abort', done, { once: true })
  })
}

/** Waits until everything that was written has left the process, so that closing the socket cuts exactly behind it. */
function flushed({ response, signal }: Exchange): Promise<void> {
  const { socket } = response
  if (socket === null || signal.aborted) return Promise.resolve()
  return new Promise((resolve) => {
    const done = (): void => {
      signal.removeEventListener('abort', done)
      resolve()
    }
    signal.addEventListener('abort', done, { once: true })
    // A response corks its socket until the next tick. A write that is queued behind that tick follows everything
    // before it.
    setImmediate(() => {
      if (socket.writable) socket.write('', done)
      else done()
    })
  })
}

async function hang(pingEvery: number | undefined, exchange: Exchange): Promise<void> {
  const { clock, signal } = exchange
  if (pingEvery === undefined) {
    await new Promise<void>((resolve) => {
      if (signal.aborted) resolve()
      else signal.addEventListener('abort', () => resolve(), { once: true })
    })
    return
  }
  while (!signal.aborted) {
    await wait(clock, pingEvery, signal)
    if (!signal.aborted) await write(ping, exchange)
  }
}
