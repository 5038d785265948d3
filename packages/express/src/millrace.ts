import { readTarget, sendToHandler } from '@millrace/node'
import { checkHandler, type Handler, isRoutePath } from '@millrace/server'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Middleware for Express 5 and 4, in the types that both build on. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/**
 * Mounts a handler, at a path or at the root: `app.use('/api', millrace(handler))`. What is not the handler's goes on to
 * the next middleware. Body parsers may stand before it or not; compression leaves event streams alone.
 *
 * @throws MillraceError `invalid_option` for what is no handler, such as an agent
 */
export function millrace(handler: Handler): Middleware {
  checkHandler(handler, 'handle')
  return (req, res, next) => {
    // Express has cut the path that this is mounted under off `req.url`.
    if (isOwnPath(req.url ?? '')) void sendToHandler(handler, req, res, { basePath: '' })
    else next()
  }
}

function isOwnPath(target: string): boolean {
  try {
    const [path = ''] = readTarget(target).path.split('?', 1)
    return isRoutePath(path)
  } catch {
    // Such a path leads to none of the handler's routes.
    return false
  }
}
