import { MillraceError } from '@millrace/core'
import { isRecord, timeLimit, wait } from '@millrace/core/kit'
import type { Connection } from './client/connection.ts'
import type { Settings } from './options.ts'
import type { Script } from './script.ts'

/** Calls scripts, and waits for a Redis that is away. */
export interface Commands {
  /**
   * What `script` replies, all parts as text. The first of `keys` says which node of a Cluster has them all.
   *
   * @throws MillraceError `store_unavailable` once it has waited for `timeoutMs`, or at once where waiting is no use
   */
  run(script: Script, keys: readonly [string, ...string[]], args: readonly string[]): Promise<readonly string[]>
  /** What is under way and what comes rejects from now on. */
  close(): void
}

const firstDelay = 50
const longestDelay = 1000

/** Errors of a server that may soon answer otherwise: it loads, fails over, moves slots, or is full. */
const transient = /^(ASK|BUSY|CLUSTERDOWN|LOADING|MASTERDOWN|MISCONF|MOVED|NOREPLICAS|OOM|READONLY|TRYAGAIN)\b/

export function createCommands(connection: Connection, { clock, timeoutMs, now }: Settings): Commands {
  const closing = new AbortController()

  async function send(script: Script, keys: readonly [string, ...string[]], args: readonly string[]): Promise<unknown> {
    const rest = [String(keys.length), ...keys, now(), ...args]
    try {
      return await connection.send(keys[0], ['EVALSHA', script.sha, ...rest])
    } catch (error) {
      if (!messageOf(error).startsWith('NOSCRIPT')) throw error
      return connection.send(keys[0], ['EVAL', script.source, ...rest])
    }
  }

  return {
    async run(script, keys, args) {
      const limit = timeLimit(clock, timeoutMs)
      let failure: unknown
      try {
        for (let delay = firstDelay; ; delay = Math.min(delay * 2, longestDelay)) {
          if (closing.signal.aborted) throw unavailable('the store was closed', failure)
          const outcome = await Promise.race([settled(send(script, keys, args)), limit.over])
          if (outcome === undefined) break
          if (outcome.status === 'answered') return textsOf(outcome.reply)
          failure = outcome.error
          if (isFinal(failure)) throw unavailable('the store refused a command', failure)
          await Promise.race([wait(clock, delay, closing.signal), limit.over])
        }
      } finally {
        limit.cancel()
      }
      throw unavailable(`the store did not answer within ${timeoutMs} ms`, failure)
    },
    close: () => closing.abort(),
  }
}

type Outcome =
  | { readonly status: 'answered'; readonly reply: unknown }
  | { readonly status: 'failed'; readonly error: unknown }

/** Never rejects, so that an answer nobody waits for any more is no unhandled rejection. */
async function settled(reply: Promise<unknown>): Promise<Outcome> {
  try {
    return { status: 'answered', reply: await reply }
  } catch (error) {
    return { status: 'failed', error }
  }
}

/** Whether the server has answered, and will answer the same again. A lost connection says nothing about the next one. */
function isFinal(error: unknown): boolean {
  const message = messageOf(error)
  return /^[A-Z]{2,} /.test(message) && !transient.test(message)
}

function messageOf(error: unknown): string {
  return isRecord(error) && typeof error['message'] === 'string' ? error['message'] : ''
}

/** The message is for clients, so that what the server said is in `cause` alone. */
export function unavailable(message: string, cause: unknown, path?: string): MillraceError {
  return new MillraceError('store_unavailable', message, {
    retryable: true,
    cause,
    ...(path !== undefined && { path }),
  })
}

function textsOf(reply: unknown): readonly string[] {
  if (!Array.isArray(reply)) throw unavailable('the store gave an answer of another kind', reply)
  return reply.map((part) => (typeof part === 'string' ? part : String(part)))
}
