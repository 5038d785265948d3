import type { Handler } from '@millrace/server'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { sendResponse } from './send-response.ts'
import { toRequest } from './to-request.ts'

/** Serves a handler by `node:http`: `createServer(toNodeListener(handler))`. */
export function toNodeListener(handler: Pick<Handler, 'fetch'>): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => {
    void sendToHandler(handler, req, res)
  }
}

/** The same for a framework that is built on node:http. Resolves when the response is sent or its client has left. */
export async function sendToHandler(
  { fetch }: Pick<Handler, 'fetch'>,
  req: IncomingMessage,
  res: ServerResponse,
): Promise<void> {
  let request: Request
  try {
    request = toRequest(req, res)
  } catch {
    // What node:http takes and the Fetch API does not, such as the methods CONNECT and TRACE.
    return sendResponse(new Response(null, { status: 400 }), res)
  }
  await sendResponse(await fetch(request), res)
}
