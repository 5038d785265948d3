import { checkHandler, type Handler, type Mount } from '@millrace/server'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendResponse } from './send-response.ts'
import { toRequest } from './to-request.ts'

/** Answers requests: a handler, or any function from Request to Response. */
export type RequestHandler = Pick<Handler, 'fetch'> & Partial<Pick<Handler, 'handle'>>

/**
 * Serves a handler by `node:http`: `createServer(toNodeListener(handler))`.
 *
 * @throws MillraceError `invalid_option` if the argument is not a handler
 */
export function toNodeListener(handler: RequestHandler): (req: IncomingMessage, res: ServerResponse) => void {
  checkHandler(handler, 'fetch')
  return (req, res) => {
    void sendToHandler(handler, req, res)
  }
}

/**
 * Sends one request to a handler, for a framework that is built on node:http. Resolves when the response is sent or its client has left.
 *
 * @throws MillraceError `invalid_option` if the argument is not a handler
 */
export async function sendToHandler(
  handler: RequestHandler,
  req: IncomingMessage,
  res: ServerResponse,
  mount: Pick<Mount, 'basePath'> = {},
): Promise<void> {
  checkHandler(handler, 'fetch')
  await sendResponse(await answerOf(handler, req, res, mount), res)
}

async function answerOf(
  handler: RequestHandler,
  req: IncomingMessage,
  res: ServerResponse,
  mount: Pick<Mount, 'basePath'>,
): Promise<Response> {
  let request: Request
  try {
    request = toRequest(req, res)
  } catch {
    // node:http accepts requests that a Request cannot express, such as the methods CONNECT and TRACE.
    return new Response(null, { status: 400 })
  }
  try {
    const { remoteAddress: address } = req.socket
    return await (handler.handle?.(request, { ...mount, address }) ?? handler.fetch(request))
  } catch {
    // A Millrace handler never rejects. Another handler must not end the process.
    return new Response(null, { status: 500 })
  }
}
