import type { RunQuery } from '@millrace/core'
import { defined } from '@millrace/core/kit'
import { ProblemError } from '../http/problem.ts'
import { isOperator } from '../operator/caller.ts'
import { jsonResponse } from '../response/result-encoder.ts'
import type { Exchange } from '../run/services.ts'

/** Runs of a page, if the request does not say, and at most. */
const pageSize = { usual: 50, most: 500 }

/** `GET /runs?owner=&closed=&before=&limit=`: the runs of the store, the newest first, for operators. */
export async function listRuns({ settings, hooks, request, runs, url }: Exchange): Promise<Response> {
  if (!(await isOperator(settings, hooks, request))) throw new ProblemError('forbidden', 'Only operators may list runs')
  const query = readQuery(url.searchParams)
  const page = await runs.list(query)
  const last = page.length === query.limit ? page.at(-1) : undefined
  const next = last && `${last.createdAt}/${last.runId}`
  return jsonResponse({ runs: page, ...defined({ next }) })
}

/** @throws ProblemError `invalid_body` */
function readQuery(parameters: URLSearchParams): RunQuery {
  const limit = Number(parameters.get('limit') ?? pageSize.usual)
  if (!Number.isSafeInteger(limit) || limit < 1 || limit > pageSize.most) {
    throw invalid('limit', `\`limit\` must be a number from 1 to ${pageSize.most}`)
  }
  const closed = parameters.get('closed') ?? undefined
  if (closed !== undefined && closed !== 'true' && closed !== 'false') {
    throw invalid('closed', '`closed` must be "true" or "false"')
  }
  const owner = parameters.get('owner') ?? undefined
  const before = readPosition(parameters.get('before'))
  return { limit, ...defined({ owner, before, closed: closed === undefined ? undefined : closed === 'true' }) }
}

function readPosition(given: string | null): RunQuery['before'] {
  if (given === null) return undefined
  const [, at, id] = /^(\d{1,15})\/(.+)$/.exec(given) ?? []
  if (at === undefined || id === undefined) throw invalid('before', '`before` must be the `next` of the page before')
  return { at: Number(at), id }
}

function invalid(path: string, message: string): ProblemError {
  return new ProblemError('invalid_body', message, { path })
}
