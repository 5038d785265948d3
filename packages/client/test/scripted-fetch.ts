import type { AgentEvent } from '@millrace/core'
import { ndjsonEncoder, type ProblemBody, sseEncoder } from '@millrace/wire'

export interface SeenRequest {
  readonly method: string
  readonly url: URL
  readonly headers: Headers
  readonly body: unknown
}

/** How one request is answered; what is not said is answered as a sound server does. */
export interface Answer {
  /** Rejects as a connection that was refused. */
  readonly refused?: boolean
  readonly status?: number
  readonly headers?: Record<string, string>
  readonly problem?: Partial<ProblemBody>
  /** The body ends after so many bytes. */
  readonly cut?: number
  /** The connection breaks at its end instead of ending. */
  readonly breaks?: boolean
  /** Neither ends nor goes on. */
  readonly stalls?: boolean
  /** Does not send raw content, though it was asked for. */
  readonly withoutContent?: boolean
  /** Other events than those of the run. */
  readonly events?: readonly AgentEvent[]
}

export interface ScriptedServer {
  readonly fetch: typeof globalThis.fetch
  readonly requests: SeenRequest[]
  /** Bodies that were neither read to their end nor cancelled. */
  readonly openBodies: () => number
}

/** A server of one run, as the client sees it. Request `n` is answered by `script[n]`, and soundly after its end. */
export function scriptedFetch(
  events: readonly AgentEvent[],
  script: readonly Answer[] = [],
  chunkSize = 7,
): ScriptedServer {
  const requests: SeenRequest[] = []
  let open = 0

  function bodyOf(
    bytes: Uint8Array,
    { breaks = false, stalls = false }: Answer,
    signal: AbortSignal | undefined,
  ): ReadableStream<Uint8Array> {
    let from = 0
    open++
    let isOpen = true
    const close = (): void => {
      if (isOpen) open--
      isOpen = false
    }
    return new ReadableStream<Uint8Array>({
      start(controller) {
        signal?.addEventListener('abort', () => {
          if (!isOpen) return
          close()
          controller.error(signal.reason)
        })
      },
      pull(controller) {
        if (from < bytes.length) {
          controller.enqueue(bytes.slice(from, from + chunkSize))
          from += chunkSize
          return undefined
        }
        if (stalls) return new Promise(() => undefined)
        close()
        if (breaks) controller.error(new TypeError('terminated'))
        else controller.close()
        return undefined
      },
      cancel: close,
    })
  }

  function answer(request: SeenRequest, plan: Answer, signal: AbortSignal | undefined): Response {
    const { status = 200, headers = {}, problem } = plan
    if (status === 204) return new Response(null, { status })
    if (status !== 200) {
      const body = problem
        ? JSON.stringify({ type: 'about:blank', title: 'Problem', status, code: 'internal', ...problem })
        : 'an HTML page'
      return new Response(body, { status, headers: { 'content-type': 'application/problem+json', ...headers } })
    }
    if (request.url.pathname.endsWith('/cancel')) return Response.json({ runId: 'run', cancelled: true }, { headers })
    if (/\/runs\/[^/]+$/.test(request.url.pathname)) {
      return Response.json({ runId: 'run', createdAt: 1, closed: true, first: 1, tail: 9 }, { headers })
    }
    const rawContent = request.url.searchParams.get('content') === 'raw' && plan.withoutContent !== true
    const after = Number(request.url.searchParams.get('after') ?? 0)
    const encoder =
      request.headers.get('accept') === 'application/x-ndjson'
        ? ndjsonEncoder({ rawContent })
        : sseEncoder({ retryMs: 100, rawContent })
    const list = (plan.events ?? events).filter(({ seq }) => seq > after)
    const text = encoder.open() + encoder.heartbeat() + encoder.encode(list)
    const bytes = new TextEncoder().encode(text)
    return new Response(bodyOf(bytes.subarray(0, plan.cut ?? bytes.length), plan, signal), {
      headers: { ...encoder.headers, ...headers },
    })
  }

  return {
    requests,
    openBodies: () => open,
    fetch(input, init) {
      const url = new URL(input instanceof Request ? input.url : input, 'http://millrace.test')
      const body: unknown = typeof init?.body === 'string' ? JSON.parse(init.body) : undefined
      const request = { method: init?.method ?? 'GET', url, headers: new Headers(init?.headers), body }
      const plan = script[requests.length] ?? {}
      requests.push(request)
      const signal = init?.signal ?? undefined
      if (signal?.aborted) return Promise.reject(signal.reason)
      if (plan.refused) return Promise.reject(new TypeError('fetch failed'))
      return Promise.resolve(answer(request, plan, signal))
    },
  }
}
