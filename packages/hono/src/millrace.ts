import { isObject } from '@millrace/core/kit'
import { checkHandler, type Handler, routePaths } from '@millrace/server'
import { type Context, Hono } from 'hono'
import { rememberContext } from './hono-context.ts'

/**
 * Returns a handler as a sub-app: `app.route('/api', millrace(handler))`. Other routes stay with the app. Middleware before it
 * may read the body through `c.req`, which keeps it.
 *
 * @throws MillraceError `invalid_option` if the argument is not a handler
 */
export function millrace(handler: Handler): Hono {
  checkHandler(handler, 'handle')
  const app = new Hono()
  for (const path of routePaths) {
    const segments = path.split('/').length - 1
    app.all(path, async (c) => {
      const request = await requestOf(c)
      rememberContext(c, request)
      // The handler's path starts at its own segments.
      const basePath = new URL(c.req.url).pathname.split('/').slice(0, -segments).join('/')
      return handler.handle(request, { basePath, address: addressOf(c) })
    })
  }
  return app
}

/** Returns the request with the body that middleware has read, if Hono keeps it. */
async function requestOf({ req }: Context): Promise<Request> {
  if (Object.keys(req.bodyCache).length === 0) return req.raw
  const { url, method, headers, signal } = req.raw
  try {
    return new Request(url, { method, headers, signal, body: await req.arrayBuffer() })
  } catch {
    // Hono kept nothing. The handler reports that the body is used.
    return req.raw
  }
}

/** Returns the address of the connection on Node. Elsewhere, use the option `clientAddress`. */
function addressOf({ env }: Context): string | undefined {
  const incoming = fieldOf(env, 'incoming')
  const address = fieldOf(fieldOf(incoming, 'socket'), 'remoteAddress')
  return typeof address === 'string' ? address : undefined
}

function fieldOf(value: unknown, name: string): unknown {
  return isObject(value) ? Reflect.get(value, name) : undefined
}
