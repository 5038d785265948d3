import type { FlagContext, RunInput } from '@millrace/core'
import { isRecord, refuse } from '@millrace/core/kit'
import { toOwnResponse } from '../http/operator-response.ts'
import { ProblemError } from '../http/problem.ts'
import type { Hooks } from './hooks.ts'
import type { Action, HandlerSettings } from './options.ts'

/** Who asks. */
export interface Caller {
  /** Whose runs are theirs; undefined for a request without a user. */
  readonly owner: string | undefined
  readonly user: RunInput['user']
  /** Where the request comes from, as far as that is known. */
  readonly address: string | undefined
}

/**
 * Asks `authorize`. Returns the Response that it gives instead of admitting the request; undefined where it admits it.
 *
 * @throws ProblemError `forbidden`, `internal`
 */
export async function refusalOf(
  { authorize }: HandlerSettings,
  hooks: Hooks,
  request: Request,
  wish: { readonly action: Action; readonly runId?: string },
): Promise<Response | undefined> {
  if (authorize === undefined) return undefined
  const info = wish.runId === undefined ? {} : { runId: wish.runId }
  const answer = await hooks.ask('authorize', () => authorize(request, wish), readAuthorization, info)
  if (answer === false) throw new ProblemError('forbidden', 'You may not do this')
  return answer === true ? undefined : answer
}

/** Whether an operator asks. @throws ProblemError `internal` */
export async function isOperator(
  { operator }: Pick<HandlerSettings, 'operator'>,
  hooks: Hooks,
  request: Request,
): Promise<boolean> {
  return operator !== undefined && hooks.ask('operator', () => operator(request), readOperator)
}

function readOperator(answer: unknown): boolean {
  return typeof answer === 'boolean' ? answer : refuse('operator', 'must give true or false')
}

function readAuthorization(answer: unknown): boolean | Response {
  if (typeof answer === 'boolean') return answer
  return toOwnResponse(answer) ?? refuse('authorize', 'must give true, false or a Response')
}

/**
 * Asks `identify` and, for a request without a user, `clientAddress`.
 *
 * @throws ProblemError `internal`
 */
export async function identifyCaller(
  { identify, clientAddress }: HandlerSettings,
  hooks: Hooks,
  request: Request,
  connection: string | undefined,
): Promise<Caller> {
  const user = identify && (await hooks.ask('identify', () => identify(request), readIdentity))
  if (user !== undefined) return { ...user, address: undefined }
  const address = clientAddress && (await hooks.ask('clientAddress', () => clientAddress(request), readAddress))
  return { owner: undefined, user: undefined, address: address ?? connection }
}

function readIdentity(identity: unknown): Pick<Caller, 'owner' | 'user'> | undefined {
  if (identity === undefined) return undefined
  if (typeof identity === 'string' && identity !== '') return { owner: identity, user: identity }
  if (isFlagContext(identity)) return { owner: identity.targetingKey, user: identity }
  // Taken as no user at all, it would give the run to everybody.
  return refuse('identify', 'must give a string that is not empty, a flag context with a targetingKey, or undefined')
}

function readAddress(address: unknown): string | undefined {
  if (address === undefined || (typeof address === 'string' && address !== '')) return address
  return refuse('clientAddress', 'must give a string that is not empty, or undefined')
}

function isFlagContext(value: unknown): value is FlagContext & { readonly targetingKey: string } {
  return isRecord(value) && typeof value['targetingKey'] === 'string' && value['targetingKey'] !== ''
}
