import { anId, checkOptions, hasMethod, refuse } from '@millrace/core/kit'
import { honoContext } from './hono-context.ts'

export interface HonoSessionOptions {
  /** The property of the session's data for the id. Default: `millrace`. */
  readonly key?: string
}

type Data = Readonly<Record<string, unknown>>

/** The part of the session of `@hono/session` that is used here. */
interface ContextSession {
  get(): Promise<Data | null>
  update(change: (before: Data | null) => Data): Promise<void>
}

/**
 * Returns a function for the handler's option `sessionId`: one conversation per session of `@hono/session`, whose `useSession()`
 * must be mounted before the handler. Only a random id is kept in the session.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`. The returned function rejects with `invalid_option` for a request
 *   without a session, and with the error of the session's store
 */
export function honoSession(options: HonoSessionOptions = {}): (request: Request) => Promise<string> {
  checkOptions(options, '', { key: anId })
  const { key = 'millrace' } = options
  return async (request) => {
    const session: unknown = honoContext(request).get('session')
    if (!isContextSession(session)) refuse('sessionId', 'needs useSession(), mounted before the handler')
    const held = (await session.get())?.[key]
    if (typeof held === 'string' && held !== '') return held
    const id = crypto.randomUUID()
    await session.update((before) => ({ ...before, [key]: id }))
    return id
  }
}

function isContextSession(session: unknown): session is ContextSession {
  return hasMethod(session, 'get') && hasMethod(session, 'update')
}
