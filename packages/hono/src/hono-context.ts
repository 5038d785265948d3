import { MillraceError } from '@millrace/core'
import type { Context } from 'hono'

const contexts = new WeakMap<Request, Context>()

export function rememberContext(c: Context, request: Request): void {
  contexts.set(request, c)
}

/**
 * Returns the Hono context of a request, for options of the handler, such as `identify`, that need what other middleware has
 * put there.
 *
 * @throws MillraceError `invalid_input` for a request that did not come through this package
 */
export function honoContext(request: Request): Context {
  const context = contexts.get(request)
  if (context) return context
  throw new MillraceError('invalid_input', 'this Request did not come through millrace() of @millrace/hono')
}
