import { aDelay, checkOptions, onAbort, oneOf, withMethods } from '@millrace/core/kit'
import { type Agent, type ClientRequest, request as requestHttp } from 'node:http'
import { request as requestHttps } from 'node:https'
import { pipeline } from 'node:stream/promises'
import { type Agents, pooledAgents } from './agents.ts'
import { type Outgoing, readOutgoing } from './outgoing.ts'
import { toResponse } from './to-response.ts'

/** Options of `createNodeFetch`. */
export interface NodeFetchOptions {
  /**
   * Makes the connections, instead of a pool of this fetch: for a proxy that needs a library, or certificates of your own.
   * An agent of `node:https` serves `https:` URLs only. `idleTimeout` and `proxy` do not apply to it.
   */
  readonly agent?: Agent
  /**
   * How long an idle connection is kept, in ms, where the server gives no shorter hint. Default: 4,000. Servers that close
   * idle connections sooner than this break the next request.
   */
  readonly idleTimeout?: number
  /**
   * `environment` connects through the proxy that `HTTPS_PROXY` or `HTTP_PROXY` names, except to the hosts in `NO_PROXY`.
   * `none` ignores them. Default: `environment`.
   */
  readonly proxy?: 'environment' | 'none'
}

/** A `fetch` for the clients of `@anthropic-ai/sdk`, of the AI SDK, and for all that take a `fetch`. */
export interface NodeFetch {
  (input: string | URL | Request, init?: RequestInit): Promise<Response>
  /** Closes every connection, those in use included. Connections that are idle do not keep the process alive. */
  close(): void
}

/**
 * Returns a `fetch` on `node:http`. It takes about 60 % of the CPU time of the global one per delta and 45 % per request,
 * and has no limit of 300 s on silence. Redirects are refused, so that keys and prompts go to no other host; with
 * `redirect: 'manual'` they are returned.
 *
 * @throws MillraceError `unknown_option` or `invalid_option`
 */
export function createNodeFetch(options: NodeFetchOptions = {}): NodeFetch {
  checkOptions(options, '', {
    agent: withMethods('addRequest', 'destroy'),
    idleTimeout: aDelay(),
    proxy: oneOf('environment', 'none'),
  })
  const { agent, idleTimeout = 4_000, proxy = 'environment' } = options
  const agents: Agents = agent
    ? { agentFor: () => agent, close: () => agent.destroy() }
    : pooledAgents(idleTimeout, proxy)
  const nodeFetch = async (input: string | URL | Request, init?: RequestInit): Promise<Response> => {
    const outgoing = readOutgoing(input, init)
    outgoing.signal?.throwIfAborted()
    return exchange(outgoing, agents.agentFor(outgoing.url))
  }
  return Object.assign(nodeFetch, { close: () => agents.close() })
}

/** Sends a request and resolves with its response once the headers are there. The first of answer, failure and abort counts. */
function exchange(outgoing: Outgoing, agent: Agent): Promise<Response> {
  const { url, method, headers, body, signal } = outgoing
  const send = url.protocol === 'https:' ? requestHttps : requestHttp
  return new Promise((resolve, reject) => {
    const req = send(url, { method, headers, agent })
    if (signal !== undefined) {
      const stopWaiting = onAbort(signal, () => {
        reject(signal.reason)
        // A connection is of no further use in the middle of an answer: the rest would have to be read.
        req.destroy()
      })
      req.once('close', stopWaiting)
    }
    let isAnswered = false
    const fail = (cause: unknown): void => reject(new TypeError(`the request to ${url.origin} failed`, { cause }))
    req.on('error', fail)
    req.once('response', (message) => {
      isAnswered = true
      try {
        resolve(toResponse(message, outgoing))
      } catch (error) {
        reject(error)
        req.destroy()
      }
    })
    sendBody(req, body).catch((cause: unknown) => {
      // A server that answers before it has read the body may close the connection: its answer says why.
      if (isAnswered) return
      fail(cause)
      req.destroy()
    })
  })
}

async function sendBody(req: ClientRequest, body: Outgoing['body']): Promise<void> {
  if (body === undefined || typeof body === 'string' || body instanceof Uint8Array) req.end(body)
  else await pipeline(body, req)
}
