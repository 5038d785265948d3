import { anId, checkOptions, hasMethod, refuse } from '@millrace/core/kit'
import { nodeExchange } from '@millrace/node'

export interface ExpressSessionOptions {
  /** Where the id stands in `req.session`. Default: `millrace`. */
  readonly key?: string
}

/** What express-session puts on a request, as far as it is needed here. */
interface StoredSession {
  save(callback: (error?: unknown) => void): void
}

/**
 * For the handler's option `sessionId`, with express-session in front of it: a conversation for each session. The session
 * holds a random id of its own and nothing else, so the session's secret id never reaches a client, and it is saved before
 * the run starts: while it streams, the next request must find the same one.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`; what it gives rejects with `invalid_option` for a request
 *   without a session, and with what the session's store fails with
 */
export function expressSession(options: ExpressSessionOptions = {}): (request: Request) => Promise<string> {
  checkOptions(options, '', { key: anId })
  const { key = 'millrace' } = options
  return async (request) => {
    const session: unknown = Reflect.get(nodeExchange(request).req, 'session')
    if (!isStoredSession(session)) refuse('sessionId', 'needs express-session, mounted before the handler')
    const held: unknown = Reflect.get(session, key)
    if (typeof held === 'string' && held !== '') return held
    const id = crypto.randomUUID()
    Reflect.set(session, key, id)
    await save(session)
    return id
  }
}

function isStoredSession(session: unknown): session is StoredSession {
  return hasMethod(session, 'save')
}

function save(session: StoredSession): Promise<void> {
  return new Promise((resolve, reject) => {
    session.save((error) => {
      if (error === undefined || error === null) resolve()
      else reject(error instanceof Error ? error : new Error('the session could not be saved'))
    })
  })
}
