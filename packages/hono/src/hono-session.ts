import { anId, checkOptions, hasMethod, refuse } from '@millrace/core/kit'
import { honoContext } from './hono-context.ts'

export interface HonoSessionOptions {
  /** Where the id stands in the session's data. Default: `millrace`. */
  readonly key?: string
}

type Data = Readonly<Record<string, unknown>>

/** What `@hono/session` puts on a context, as far as it is needed here. */
interface ContextSession {
  get(): Promise<Data | null>
  update(change: (before: Data | null) => Data): Promise<void>
}

/**
 * For the handler's option `sessionId`, with `useSession()` of `@hono/session` in front of it: a conversation for each
 * session. The session holds a random id and nothing else.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`; what it gives rejects with `invalid_option` for a request
 *   without a session, and with what the session's store fails with
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
