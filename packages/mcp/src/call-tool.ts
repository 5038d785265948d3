import { ToolError, type ToolProgress } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import type { Client } from '@modelcontextprotocol/client'
import { toResult } from './result-content.ts'
import { anyResult } from './result-schema.ts'
import type { ServerLink } from './server-link.ts'
import { unlessAborted } from './unless-aborted.ts'

export interface CallOptions {
  readonly link: ServerLink
  /** The name of the tool on its server. */
  readonly tool: string
  readonly input: unknown
  /** Whether the tool declares that it has no effects, and the server is trusted with that. */
  readonly readOnly: boolean
  readonly signal: AbortSignal
  readonly progress: (report: ToolProgress) => void
  /** Milliseconds without progress after which the call fails. */
  readonly idleTimeout: number
  /** Milliseconds after which the call fails, with or without progress. */
  readonly callTimeout: number
}

/** Returns the error for a call that was sent and never answered. Its outcome is unknown unless the tool has no effects. */
function unanswered({ readOnly }: CallOptions, what: string, cause: unknown): ToolError {
  return readOnly
    ? new ToolError(`${what} The call may be repeated.`, { cause })
    : new ToolError(`${what} It is unknown whether the call took effect. Check before repeating it.`, {
        cause,
        outcome: 'unknown',
      })
}

/** The call was not sent, or its server has not run it: that is known, even when the run has been stopped meanwhile. */
function notRun(what: string, cause: unknown): ToolError {
  return new ToolError(`${what} The call did not run.`, { cause, outcome: 'error' })
}

function property(error: unknown, key: 'code' | 'message' | 'status'): unknown {
  return typeof error === 'object' && error !== null && key in error ? Reflect.get(error, key) : undefined
}

/** Returns what the model is told about a call that gave no result. */
function explain(error: unknown, options: CallOptions, client: Client): ToolError {
  const { tool, link } = options
  const code = property(error, 'code')
  if (code === 'REQUEST_TIMEOUT') return unanswered(options, `"${tool}" did not answer in time.`, error)
  if (code === 'CONNECTION_CLOSED') return unanswered(options, `The server of "${tool}" ended during the call.`, error)
  // In JSON-RPC a numeric code is the server's own answer.
  if (typeof code === 'number')
    return new ToolError(`"${tool}" failed: ${String(property(error, 'message'))}`, { cause: error })
  // HTTP has no connection that could be seen to end. After a failed request the next call starts a new session.
  link.drop(client)
  if (property(error, 'status') === 404)
    return notRun(`The server of "${tool}" has forgotten its session, and can be called again.`, error)
  return unanswered(options, `The server of "${tool}" could not be reached.`, error)
}

async function connected({ link, tool, signal }: CallOptions): Promise<Client> {
  try {
    signal.throwIfAborted()
    // Other calls may wait for the same connection, so an abort ends this wait and not the connection.
    const client = await unlessAborted(link.connect(), signal)
    signal.throwIfAborted()
    return client
  } catch (cause) {
    const what = signal.aborted ? 'It was stopped before it was sent.' : `The server of "${tool}" cannot be reached.`
    throw notRun(what, cause)
  }
}

async function request(client: Client, options: CallOptions): Promise<unknown> {
  const { tool, input, signal, progress, idleTimeout, callTimeout } = options
  try {
    return await client.request({ method: 'tools/call', params: { name: tool, arguments: input } }, anyResult, {
      signal,
      timeout: idleTimeout,
      resetTimeoutOnProgress: true,
      maxTotalTimeout: callTimeout,
      onprogress: ({ progress: at, total, message }) =>
        progress({
          progress: at,
          ...(total === undefined ? {} : { total }),
          ...(message === undefined ? {} : { message }),
        }),
    })
  } catch (error) {
    // The SDK reports an abort as a timeout.
    signal.throwIfAborted()
    throw explain(error, options, client)
  }
}

/**
 * Calls a tool of a server and returns its content. The call is sent once and never repeated.
 *
 * @throws ToolError with what the model is told; the reason of `signal` if it aborts after the call was sent
 */
export async function callTool(options: CallOptions): Promise<unknown> {
  const { tool } = options
  const result = await request(await connected(options), options)
  if (!isRecord(result)) throw new ToolError(`"${tool}" returned a result that cannot be read.`)
  const content = toResult(result)
  if (result['isError'] !== true) return content
  throw new ToolError(content === '' ? `"${tool}" failed.` : content)
}
