import { type FlagContext, flagKeys, systemRuntime } from '@millrace/core'
import { aCount, aDelay, aListOf, anId, checkOptions, isRecord, type Rule, rule } from '@millrace/core/kit'
import {
  backgroundClock,
  createSourceHealth,
  type FlagResolution,
  type FlagSource,
  markStale,
  toBooleanDetails,
} from '@millrace/flags'
import { selectContext } from './context-key.ts'
import { readAddress } from './fetch-text.ts'
import { createOfrepCache } from './ofrep-cache.ts'
import { type ContextEntry, createContextTable } from './ofrep-contexts.ts'
import { anAddress, readTransport, type RemoteOptions, remoteRules } from './remote-options.ts'

export interface OfrepFlagsOptions extends RemoteOptions {
  /** The server's address, to which `/ofrep/v1/evaluate/flags` is added. */
  readonly baseUrl: string | URL
  /** The attributes to send besides the targeting key. Fewer attributes mean fewer requests. Default: all of the context. */
  readonly attributes?: readonly string[]
  /** The context for evaluations without one, and the one that `ready` waits for. Default: empty. */
  readonly context?: FlagContext
  /** Milliseconds to wait for the first answer for a context. Default: 40, because a run is decided within 50. */
  readonly firstAnswer?: number
  /** The most contexts that are kept. Default: 1,000. */
  readonly maxContexts?: number
}

/** A source over a server that evaluates. */
export interface OfrepFlags extends FlagSource {
  /** Fetches all contexts in use now, or joins a running refresh. Never rejects. */
  refresh(): Promise<void>
}

const ofrepFlagsRules: Readonly<Record<keyof OfrepFlagsOptions, Rule>> = {
  baseUrl: anAddress,
  attributes: aListOf(anId),
  context: rule(isRecord, 'must be an object'),
  firstAnswer: aDelay(),
  maxContexts: aCount(1),
  ...remoteRules,
}

/**
 * Makes a source of flags from a server that speaks OFREP. Each context is evaluated by one bulk request, then answered from
 * memory, and requested again at every poll while it is in use. For many users, `remoteFlagFile` needs far fewer requests.
 *
 * The first evaluation for a context waits up to `firstAnswer`. If the server is slower, the run does not stream, and the
 * answer is there for the next run. A context that was out of use, and so was not polled, waits in the same way.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function ofrepFlags(options: OfrepFlagsOptions): OfrepFlags {
  checkOptions(options, '', ofrepFlagsRules)
  ofrepFlagsRules.baseUrl(options.baseUrl, 'baseUrl')
  const { name = 'ofrep', poll = 30_000, maxAge = 120_000, firstAnswer = 40, maxContexts = 1000 } = options
  const { attributes, lastKnownGood, clock = backgroundClock, random = systemRuntime.random } = options
  const base = readAddress(options.baseUrl, 'baseUrl')
  const url = new URL(`${base.pathname.replace(/\/$/, '')}/ofrep/v1/evaluate/flags`, base)
  const transport = readTransport(options, clock)
  const health = createSourceHealth({ name, clock, maxAge })
  const cache = createOfrepCache({
    url,
    transport,
    health,
    poll,
    random,
    firstAnswer,
    lastKnownGood,
    table: createContextTable(maxContexts),
    select: (context) => selectContext(context ?? options.context ?? {}, attributes),
  })
  const lookUp = ({ known }: ContextEntry, key: string): FlagResolution => {
    if (known === undefined) return notReady
    const flag = known.answer.get(key) ?? (isToolKey(key) ? known.answer.get(flagKeys.tool('*')) : undefined)
    return flag === undefined ? notFound(key) : markStale(flag, health.isStale(known.asOf))
  }
  return {
    name,
    resolve: (key, context) => cache.answer(context, (entry) => lookUp(entry, key)),
    getBooleanDetails: (key, fallback, context) =>
      cache.answer(context, (entry) => toBooleanDetails(lookUp(entry, key), key, fallback)),
    describe() {
      const flags = [...(cache.home().known?.answer ?? [])].map(([key, flag]) => ({ key, rule: describeFlag(flag) }))
      return { name, ...health.describe(), warnings: [], flags }
    },
    onChange: health.onChange,
    ready: health.ready,
    refresh: () => cache.refresh(),
    async close() {
      health.close()
      await cache.close()
    },
  }
}

function isToolKey(key: string): boolean {
  return key.startsWith(flagKeys.tool(''))
}

const notReady: FlagResolution = {
  status: 'error',
  errorCode: 'PROVIDER_NOT_READY',
  errorMessage: 'the server has not answered for this context',
}

function notFound(key: string): FlagResolution {
  return { status: 'error', errorCode: 'FLAG_NOT_FOUND', errorMessage: `flag "${key}" does not exist` }
}

function describeFlag(flag: FlagResolution): string {
  switch (flag.status) {
    case 'resolved':
      return `${JSON.stringify(flag.value)} (${flag.reason})`
    case 'default':
      return `the code's default (${flag.reason})`
    default:
      return `error ${flag.errorCode}`
  }
}
