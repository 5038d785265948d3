import { contentParameter, type RunFormat } from '@millrace/wire'
import { negotiateFormat } from '../http/negotiate.ts'
import { ProblemError } from '../http/problem.ts'
import { respond, type RespondOptions, type RunSource } from '../response/respond.ts'
import type { Exchange } from '../run/services.ts'

/** What a request wants of a run. */
export interface Wanted {
  readonly format: RunFormat
  readonly rawContent: boolean
}

/** @throws ProblemError `not_acceptable`, `forbidden` */
export function readWanted({ url, request, settings }: Exchange): Wanted {
  const format = negotiateFormat(url.searchParams.get('format'), request.headers.get('accept'))
  const rawContent = url.searchParams.get(contentParameter.name) === contentParameter.raw
  if (rawContent && !settings.rawContent) throw new ProblemError('forbidden', 'Raw content is not given out here')
  return { format, rawContent }
}

/** Answers an exchange with a run. */
export function respondWith(
  { settings, runtime, responses, hooks }: Exchange,
  source: RunSource,
  {
    kind,
    ...options
  }: Pick<RespondOptions, 'format' | 'rawContent' | 'uiMessageStream' | 'agUi' | 'onEnd'> & {
    readonly kind: 'starter' | 'follower'
  },
): Response {
  return respond(source, {
    ...options,
    clock: runtime.clock,
    heartbeat: settings.heartbeat,
    stallTimeout: settings.stallTimeout,
    open: { responses, kind },
    onError: (error) => hooks.report(error, { runId: source.runId, source: 'response' }),
  })
}
