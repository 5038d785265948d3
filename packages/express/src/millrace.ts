import { readTarget, sendToHandler } from '@millrace/node'
import { checkHandler, type Handler, isRoutePath } from '@millrace/server'
import type { IncomingMessage, ServerResponse } from 'node:http'

/** Middleware for Express 5 and 4, in the types that both share. */
export type Middleware = (req: IncomingMessage, res: ServerResponse, next: (error?: unknown) => void) => void

/**
 * Returns a handler as middleware for a path or the root: `app.use('/api', millrace(handler))`. Other requests go to the next
 * middleware. Body parsers may come before it. Compression does not change event streams.
 *
 * @throws MillraceError `invalid_option` if the argument is not a handler
 */
export function millrace(handler: Handler): Middleware {
  checkHandler(handler, 'handle')
  return (req, res, next) => {
    // Express removes the mount path from `req.url`.
    if (isOwnPath(req.url ?? '')) void sendToHandler(handler, req, res, { basePath: '' })
    else next()
  }
}

function isOwnPath(target: string): boolean {
  try {
    const [path = ''] = readTarget(target).path.split('?', 1)
    return isRoutePath(path)
  } catch {
    // No route of the handler has such a path.
    return false
  }
}
