import { type Handler, routePaths } from '@millrace/server'
import { Hono } from 'hono'
import { rememberContext } from './hono-context.ts'

/** Mounts a handler as a sub-app: `app.route('/api', millrace(handler))`. What is not the handler's stays the app's. */
export function millrace(handler: Handler): Hono {
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
