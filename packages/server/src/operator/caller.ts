import type { RunInput } from '@millrace/core'
import { isRecord } from './check.ts'
import type { Action, HandlerSettings } from './options.ts'
import { ProblemError } from './problem.ts'

/** Who asks. */
export interface Caller {
  /** Whose runs are theirs; undefined for a request without a user. */
  readonly owner: string | undefined
  readonly user: RunInput['user']
}

/** Thrown to answer with a Response that an option gave. */
export class AnsweredError extends Error {
  override readonly name: string = 'AnsweredError'
  readonly response: Response

  constructor(response: Response) {
    super('Answered by an option')
    this.response = response
  }
}

/**
 * Asks `authorize` and `identify`.
 *
 * @throws ProblemError `forbidden`, AnsweredError
 */
export async function admitCaller(
  { authorize, identify }: HandlerSettings,
  request: Request,
  wish: { readonly action: Action; readonly runId?: string },
): Promise<Caller> {
  const allowed = await authorize?.(request, wish)
  if (allowed === false) throw new ProblemError('forbidden', 'You may not do this')
  if (allowed instanceof Response) throw new AnsweredError(allowed)
  const identity: unknown = await identify?.(request)
  if (identity === undefined) return { owner: undefined, user: undefined }
  if (typeof identity === 'string' && identity !== '') return { owner: identity, user: identity }
  if (isFlagContext(identity)) return { owner: identity.targetingKey, user: identity }
  // Falling back to nobody would give the run to everybody.
  throw new TypeError('identify must give a string, or a flag context with a targetingKey, or undefined')
}

function isFlagContext(
  value: unknown,
): value is Exclude<RunInput['user'], string | undefined> & { targetingKey: string } {
  return isRecord(value) && typeof value['targetingKey'] === 'string' && value['targetingKey'] !== ''
}
