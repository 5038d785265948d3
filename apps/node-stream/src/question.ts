import type { LoopArgs } from '@millrace/sample-loop'
import type { IncomingMessage } from 'node:http'

/** Returns the arguments of the loop for `GET /?q=…`. There is no conversation: each question is the first. */
export function questionOf(req: IncomingMessage): LoopArgs {
  const userInput = new URL(req.url ?? '/', 'http://localhost').searchParams.get('q') ?? 'Hello'
  return { userInput, conversationHistory: [], visitor: crypto.randomUUID() }
}
