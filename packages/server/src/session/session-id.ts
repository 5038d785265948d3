import { refuse } from '@millrace/core/kit'
import type { Caller } from '../operator/caller.ts'
import type { Hooks } from '../operator/hooks.ts'
import type { HandlerSettings } from '../operator/options.ts'

export interface SessionIdContext {
  readonly settings: HandlerSettings
  readonly hooks: Hooks
  readonly request: Request
  readonly caller: Caller
}

/**
 * The id of the conversation that a request belongs to: what the option `sessionId` gives, else the client's own name for
 * it, which counts within what its user owns. Undefined where there is neither.
 *
 * @throws ProblemError `internal`
 */
export async function sessionIdOf(
  { settings: { sessionId }, hooks, request, caller }: SessionIdContext,
  named: string | undefined,
): Promise<string | undefined> {
  const given = sessionId && (await hooks.ask('sessionId', () => sessionId(request), readSessionId))
  if (given !== undefined) return given
  // Nobody reaches the conversation of another user by its name.
  return named === undefined || caller.owner === undefined ? undefined : `${encodeURIComponent(caller.owner)}/${named}`
}

function readSessionId(id: unknown): string | undefined {
  if (id === undefined || (typeof id === 'string' && id !== '')) return id
  return refuse('sessionId', 'must give a string that is not empty, or undefined')
}
