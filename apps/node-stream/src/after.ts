import type Anthropic from '@anthropic-ai/sdk'
import type { FlagClient } from '@millrace/core'
import { runToReadable } from '@millrace/node'
import { createStreamingLoop } from '@millrace/sample-loop'
import { createServer, type Server } from 'node:http'
import { pipeline } from 'node:stream/promises'
import { questionOf } from './question.ts'

/** Creates the same server with Millrace: text flows as the model writes it, and a slow client slows the model down. */
export function createAfter(client: Anthropic, model: string, flags: FlagClient): Server {
  // A pipe cannot retract text: what was sent before a stream broke is kept, and the model continues from there.
  const agentLoop = createStreamingLoop({ client, model, flags, retraction: 'continue' })
  return createServer((req, res) => {
    res.setHeader('content-type', 'text/plain; charset=utf-8')
    const run = agentLoop.run(questionOf(req))
    // The pipeline fails when the client leaves. Nobody can read the rest, so the run ends too.
    pipeline(runToReadable(run, { format: 'text' }), res).catch(() => run.interrupt('the client has left'))
  })
}
