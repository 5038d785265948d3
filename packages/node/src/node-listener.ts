import { checkHandler, type Handler } from '@millrace/server'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendResponse } from './send-response.ts'
import { toRequest } from './to-request.ts'

/**
 * Serves a handler by `node:http`: `createServer(toNodeListener(handler))`.
 *
 * @throws MillraceError `invalid_option` for what is no handler, such as an agent
 */
export function toNodeListener(handler: Pick<Handler, 'fetch'>): (req: IncomingMessage, res: ServerResponse) => void {
  checkHandler(handler, 'fetch')
  return (req, res) => {
    void sendToHandler(handler, req, res)
  }
}

/**
 * The same for a framework that is built on node:http. Resolves when the response is sent or its client has left.
 *
 * @throws MillraceError `invalid_option` for what is no handler
 */
export async function sendToHandler(
  handler: Pick<Handler, 'fetch'>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  checkHandler(handler, 'fetch')
  let request: Request
  try {
    request = toRequest(req, res)
  } catch {
    // What node:http takes and the Fetch API does not, such as the methods CONNECT and TRACE.
    return sendResponse(new Response(null, { status: 400 }), res)
  }
  await sendResponse(await handler.fetch(request), res)
}
