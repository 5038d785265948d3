import { anId, checkOptions, hasMethod, refuse } from '@millrace/core/kit'
import { nodeExchange } from '@millrace/node'

export interface ExpressSessionOptions {
  /** The property of `req.session` for the id. Default: `millrace`. */
  readonly key?: string
}

/** The part of the session of express-session that is used here. */
interface StoredSession {
  save(callback: (error?: unknown) => void): void
}

/**
 * Returns a function for the handler's option `sessionId`: one conversation per session of express-session, which must be mounted
 * before the handler. Only a random id is kept in the session, so its secret id never reaches a client. The session is saved
 * before the run starts, so that the next request finds the same id while the run streams.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`. The returned function rejects with `invalid_option` for a request
 *   without a session, and with the error of the session's store
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
