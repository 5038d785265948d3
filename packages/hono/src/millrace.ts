import { isObject } from '@millrace/core/kit'
import { checkHandler, type Handler, routePaths } from '@millrace/server'
import { type Context, Hono } from 'hono'
import { rememberContext } from './hono-context.ts'

/**
 * Mounts a handler as a sub-app: `app.route('/api', millrace(handler))`. What is not the handler's stays the app's.
 * Middleware in front of it may read the body by `c.req`, which keeps what it read.
 *
 * @throws MillraceError `invalid_option` for what is no handler, such as an agent
 */
export function millrace(handler: Handler): Hono {
  checkHandler(handler, 'handle')
  const app = new Hono()
  for (const path of routePaths) {
    const segments = path.split('/').length - 1
    app.all(path, async (c) => {
      const request = await requestOf(c)
      rememberContext(c, request)
      // The handler is wherever its own segments begin.
      const basePath = new URL(c.req.url).pathname.split('/').slice(0, -segments).join('/')
      return handler.handle(request, { basePath, address: addressOf(c) })
    })
  }
  return app
}

/** The request, with the body that middleware has read of it, where Hono keeps that. */
async function requestOf({ req }: Context): Promise<Request> {
  if (Object.keys(req.bodyCache).length === 0) return req.raw
  const { url, method, headers, signal } = req.raw
  try {
    return new Request(url, { method, headers, signal, body: await req.arrayBuffer() })
  } catch {
    // Nothing was kept after all: the handler says what is wrong with a body that is used.
    return req.raw
  }
}

/** The address of the connection on Node, where Hono's context has it; elsewhere the option `clientAddress` gives it. */
function addressOf({ env }: Context): string | undefined {
  const incoming = fieldOf(env, 'incoming')
  const address = fieldOf(fieldOf(incoming, 'socket'), 'remoteAddress')
  return typeof address === 'string' ? address : undefined
}

function fieldOf(value: unknown, name: string): unknown {
  return isObject(value) ? Reflect.get(value, name) : undefined
}
