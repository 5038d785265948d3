import { contentParameter, mediaTypes, type RunFormat, type RunResultBody, runIdHeader } from '@millrace/wire'
import { createEncoder, type EncoderOptions } from './encoders.ts'
import type { EventBatches } from './event-batches.ts'
import { eventResponse } from './event-response.ts'
import { negotiateFormat } from './negotiate.ts'
import { ProblemError } from './problem.ts'
import type { Exchange } from './services.ts'

/** What a request wants of a run's events. */
export interface Wanted {
  readonly format: RunFormat
  readonly rawContent: boolean
}

/** @throws ProblemError `not_acceptable`, `forbidden` */
export function readWanted({ url, request, settings }: Pick<Exchange, 'url' | 'request' | 'settings'>): Wanted {
  const format = negotiateFormat(url.searchParams.get('format'), request.headers.get('accept'))
  const rawContent = url.searchParams.get(contentParameter.name) === contentParameter.raw
  if (rawContent && !settings.rawContent) throw new ProblemError('forbidden', 'Raw content is not given out here')
  return { format, rawContent }
}

export interface StreamOptions {
  readonly runId: string
  readonly format: Exclude<RunFormat, 'json'>
  readonly encoder: EncoderOptions
  /** Ends the response where it is, for the client to come back elsewhere. */
  readonly signal?: AbortSignal
  readonly onEnd: (end: { readonly left: boolean }) => void
}

export function streamRun(
  { settings, runtime }: Exchange,
  batches: EventBatches,
  { runId, format, encoder, signal, onEnd }: StreamOptions,
): Response {
  return eventResponse(batches, {
    runId,
    encoder: createEncoder(format, encoder),
    clock: runtime.clock,
    heartbeat: settings.heartbeat,
    stallTimeout: settings.stallTimeout,
    ...(signal && { signal }),
    onEnd,
    onError: (error) => settings.onError(error, { runId }),
  })
}

export function jsonResponse(body: object, headers: Readonly<Record<string, string>> = {}): Response {
  return new Response(JSON.stringify(body), {
    headers: { 'content-type': `${mediaTypes.json}; charset=utf-8`, 'cache-control': 'no-store', ...headers },
  })
}

export function resultResponse(body: RunResultBody): Response {
  return jsonResponse(body, { [runIdHeader]: body.runId })
}
