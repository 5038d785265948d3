import { checkHandler, type Handler, routePaths } from '@millrace/server'
import { Hono } from 'hono'
import { rememberContext } from './hono-context.ts'

/**
 * Mounts a handler as a sub-app: `app.route('/api', millrace(handler))`. What is not the handler's stays the app's.
 *
 * @throws MillraceError `invalid_option` for what is no handler, such as an agent
 */
export function millrace(handler: Handler): Hono {
  checkHandler(handler, 'handle')
  const app = new Hono()
  for (const path of routePaths) {
    const segments = path.split('/').length - 1
    app.all(path, (c) => {
      rememberContext(c)
      // The handler is wherever its own segments begin.
      const basePath = new URL(c.req.url).pathname.split('/').slice(0, -segments).join('/')
      return handler.handle(c.req.raw, { basePath })
    })
  }
  return app
}
