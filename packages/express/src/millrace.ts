import { sendToHandler } from '@millrace/node'
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
  const rooted = { fetch: (request: Request) => handler.handle(request, { basePath: '' }) }
  return (req, res, next) => {
    // Express has cut the path that this is mounted under off `req.url`.
    const [path = ''] = (req.url ?? '').split('?', 1)
    if (isRoutePath(path)) void sendToHandler(rooted, req, res)
    else next()
  }
}
