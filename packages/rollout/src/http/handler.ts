import { isMillraceError, MillraceError } from '@millrace/core'
import { aFunction, anId, checkOptions, guarded, isRecord, type Rule, withMethods } from '@millrace/core/kit'
import type { Actor, RolloutAction } from '../control/act.ts'
import type { Rollout } from '../run/rollout.ts'

export interface RolloutHandlerOptions {
  readonly rollout: Rollout
  /** Admits a request if it returns exactly `true`. `action` is `read`, or what the request wants to do. */
  readonly authorize: (request: Request, action: RolloutAction['type'] | 'read') => Promise<boolean> | boolean
  /** Names who acts, for the log. Default: `http`. */
  readonly actor?: (request: Request) => Promise<string> | string
  /** The path that the handler is mounted on. Default: `/rollout`. */
  readonly path?: string
  /** Told of an `authorize` or `actor` that failed, and of a store that did. Default: nobody. */
  readonly onError?: (error: MillraceError) => void
}

const rules: Readonly<Record<keyof RolloutHandlerOptions, Rule>> = {
  rollout: withMethods('report', 'act'),
  authorize: aFunction,
  actor: aFunction,
  path: anId,
  onError: aFunction,
}

const actions: readonly RolloutAction['type'][] = ['start', 'promote', 'hold', 'rollback', 'resume']
/** A body names a reason and a stage. */
const maxBody = 4096

/**
 * Makes a handler of `GET status`, `GET history`, `GET evidence` and `POST start|promote|hold|rollback|resume` below `path`.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function createRolloutHandler(options: RolloutHandlerOptions): (request: Request) => Promise<Response> {
  checkOptions(options, '', rules)
  for (const needed of ['rollout', 'authorize'] as const) rules[needed](options[needed], needed)
  const { rollout, authorize, actor = () => 'http', path = '/rollout', onError } = options

  function report(message: string, cause: unknown): void {
    // If the error callback itself fails, nothing is left to report to.
    guarded(
      () => onError?.(new MillraceError('internal', message, { cause })),
      () => {},
    )
  }

  async function isAdmitted(request: Request, action: RolloutAction['type'] | 'read'): Promise<boolean> {
    try {
      // A hook in JavaScript may return anything: only `true` admits.
      const admitted: unknown = await authorize(request, action)
      return admitted === true
    } catch (cause) {
      report('authorize failed, so the request was refused', cause)
      return false
    }
  }

  async function read(route: string, request: Request): Promise<Response> {
    const { plan, state, exposure, evidence, judgement } = await rollout.report(request.signal)
    if (route === 'history') return json(200, { log: state.log })
    if (route === 'evidence') return json(200, { epoch: state.epoch, evidence, judgement })
    return json(200, { plan, state: { ...state, log: state.log.slice(-1) }, exposure, evidence, judgement })
  }

  async function change(type: RolloutAction['type'], request: Request): Promise<Response> {
    // A form of another site can send cookies, but no JSON without a preflight (CSRF).
    if (!/^application\/json\b/i.test(request.headers.get('content-type') ?? '')) {
      return problem(415, 'the content type must be application/json')
    }
    const { reason, stage, salt } = await readBody(request)
    const by: Actor = { actor: await actor(request), reason: reason ?? `${type} by hand` }
    const more = { ...(stage !== undefined && { stage }), ...(salt !== undefined && { salt }) }
    const state = await rollout.act(type === 'resume' ? { type, ...more } : { type }, by, request.signal)
    return json(200, { state })
  }

  return async (request) => {
    const { pathname } = new URL(request.url)
    const route = pathname.startsWith(`${path}/`) ? pathname.slice(path.length + 1) : ''
    const action = actions.find((known) => known === route)
    const isRead = route === 'status' || route === 'history' || route === 'evidence'
    if (action === undefined && !isRead) return problem(404, 'not found')
    const method = isRead ? 'GET' : 'POST'
    if (request.method !== method) return problem(405, `the method must be ${method}`, { allow: method })
    if (!(await isAdmitted(request, action ?? 'read'))) return problem(403, 'not allowed')
    try {
      return action === undefined ? await read(route, request) : await change(action, request)
    } catch (error) {
      if (isMillraceError(error, 'conflict')) return problem(409, error.message)
      if (isMillraceError(error, 'invalid_input')) return problem(400, error.message)
      report(`${route} failed`, error)
      return problem(503, 'the rollout is not available now')
    }
  }
}

async function readBody(request: Request): Promise<Readonly<Record<'reason' | 'salt' | 'stage', string | undefined>>> {
  const body = await readText(request)
  let value: unknown
  try {
    value = body === '' ? {} : JSON.parse(body)
  } catch (cause) {
    throw new MillraceError('invalid_input', 'the body must be JSON', { cause })
  }
  if (!isRecord(value)) throw new MillraceError('invalid_input', 'the body must be an object')
  const text = (name: string): string | undefined => {
    const given = value[name]
    if (given === undefined || (typeof given === 'string' && given !== '')) return given
    throw new MillraceError('invalid_input', `${name} must be a string that is not empty`)
  }
  return { reason: text('reason'), stage: text('stage'), salt: text('salt') }
}

async function readText(request: Request): Promise<string> {
  const decoder = new TextDecoder()
  let body = ''
  for await (const chunk of request.body ?? []) {
    body += decoder.decode(chunk, { stream: true })
    if (body.length > maxBody)
      throw new MillraceError('invalid_input', `the body must be at most ${maxBody} characters`)
  }
  return body
}

function json(status: number, value: unknown, headers: Readonly<Record<string, string>> = {}): Response {
  return Response.json(value, { status, headers: { 'cache-control': 'no-store', ...headers } })
}

function problem(status: number, message: string, headers: Readonly<Record<string, string>> = {}): Response {
  return json(status, { error: { message } }, headers)
}
