import {
  type Agent,
  type FlagContext,
  type LocalAgent,
  type Message,
  type RunInput,
  type RunStore,
  type Runtime,
  type SessionStore,
  systemRuntime,
} from '@millrace/core'
import type { StartRunBody } from '@millrace/wire'
import { checkCount, checkDelay, checkFunction, checkKeys, checkMethods, refuse } from './check.ts'

/** What a request wants to do, for `authorize`. */
export type Action = 'start' | 'follow' | 'snapshot' | 'cancel'

/** Who asks: an id, or the context that flags are evaluated with, whose `targetingKey` is the id. */
export type Identity = string | FlagContext

export interface HandlerLimits {
  /** Runs that this handler has under way. Default: 1,000. */
  readonly runs: number
  /** Of them, those of one user. Default: 8. */
  readonly runsPerUser: number
  /** Responses that follow a run which this request did not start. Default: 10,000. */
  readonly followers: number
  /** Of them, those of one user. Default: 64. */
  readonly followersPerUser: number
  /** Requests whose body is being read. Default: 256. */
  readonly uploads: number
}

export interface HandlerOptions {
  /** What runs. Where it is one of `createAgent`, with a journal, `recover` can take over runs of a process that died. */
  readonly agent: Agent & Partial<Pick<LocalAgent, 'resume'>>
  /** The store that the agent writes its runs to (`createAgent({ journal: runJournal(runs) })`): from it they are followed and looked up. */
  readonly runs: RunStore
  /** Where conversations are kept. Without it every request brings its whole conversation. */
  readonly sessions?: SessionStore
  /** Whether the request may do this. False is answered with 403, a Response as it is. Default: everything. */
  readonly authorize?: (
    request: Request,
    wish: { readonly action: Action; readonly runId?: string },
  ) => boolean | Response | Promise<boolean | Response>
  /** Who asks. A run belongs to who started it, and is not there for anybody else. Default: nobody in particular. */
  readonly identify?: (request: Request) => Identity | undefined | Promise<Identity | undefined>
  /**
   * The conversation that the request belongs to, by an id that the client cannot choose, such as one kept in the
   * framework's session. Where it gives none, the body's own id counts, within what its user owns.
   */
  readonly sessionId?: (request: Request) => string | undefined | Promise<string | undefined>
  /** Has the last word on what the agent is given. Default: what the body and the session say. */
  readonly toInput?: (
    input: RunInput & { readonly messages: readonly Message[] },
    info: { readonly request: Request; readonly body: StartRunBody },
  ) => RunInput | Promise<RunInput>
  /** What a client may have of the raw content: signatures, encrypted blocks, tool results as they are. Default: false. */
  readonly rawContent?: boolean
  /** What happens to a run whose starter leaves before its end. Default: `continue`. */
  readonly onDisconnect?: 'continue' | 'cancel'
  /** The path in front of `/runs`. Default: none; adapters know where they are mounted. */
  readonly basePath?: string
  /** Bytes that a body may have. Default: 1,048,576. */
  readonly bodyLimit?: number
  /** Milliseconds that a body may take to arrive. Default: 30,000. */
  readonly bodyTimeout?: number
  /** Quiet milliseconds before a heartbeat. Default: 15,000. */
  readonly heartbeat?: number
  /**
   * Milliseconds that a client may leave its response unread before it is given up; its run goes on. A client that reads
   * slowly slows its run down, and one that has died without saying so would hold it. Default: 60,000.
   */
  readonly stallTimeout?: number
  /** Milliseconds that a claim on a session lasts unless it is renewed, as it is while its run lasts. Default: 60,000. */
  readonly sessionClaim?: number
  readonly limits?: Partial<HandlerLimits>
  /** Told of what went wrong inside: a store, an option that threw, a session that could not be written. */
  readonly onError?: (error: unknown, info: { readonly runId?: string }) => void
  /** Clock and ids. Default: the platform's. */
  readonly runtime?: Partial<Runtime>
}

export interface HandlerSettings extends HandlerOptions {
  readonly rawContent: boolean
  readonly onDisconnect: 'continue' | 'cancel'
  readonly basePath: string
  readonly bodyLimit: number
  readonly bodyTimeout: number
  readonly heartbeat: number
  readonly stallTimeout: number
  readonly sessionClaim: number
  readonly limits: HandlerLimits
  readonly runtime: Runtime
  /** Never throws. */
  readonly onError: (error: unknown, info: { readonly runId?: string }) => void
}

const known: Readonly<Record<keyof HandlerOptions, true>> = {
  agent: true,
  authorize: true,
  basePath: true,
  bodyLimit: true,
  bodyTimeout: true,
  heartbeat: true,
  identify: true,
  limits: true,
  onDisconnect: true,
  onError: true,
  rawContent: true,
  runs: true,
  runtime: true,
  sessionClaim: true,
  sessionId: true,
  sessions: true,
  stallTimeout: true,
  toInput: true,
}

const defaultLimits: HandlerLimits = {
  runs: 1000,
  runsPerUser: 8,
  followers: 10_000,
  followersPerUser: 64,
  uploads: 256,
}

/** @throws MillraceError `invalid_option`, `unknown_option`, with the option's path */
export function readHandlerOptions(options: HandlerOptions): HandlerSettings {
  checkKeys(options, '', Object.keys(known))
  const { agent, runs, sessions, basePath = '', onDisconnect = 'continue', rawContent = false } = options
  checkMethods(agent ?? {}, 'agent', ['run'])
  checkMethods(runs ?? {}, 'runs', ['read', 'snapshot', 'cancel'])
  checkMethods(sessions, 'sessions', ['load', 'claim', 'release', 'commit'])
  for (const name of ['authorize', 'identify', 'sessionId', 'toInput', 'onError'] as const) {
    checkFunction(options[name], name)
  }
  for (const name of ['bodyTimeout', 'heartbeat', 'stallTimeout', 'sessionClaim'] as const) {
    checkDelay(options[name], name)
  }
  checkCount(options.bodyLimit, 'bodyLimit')
  if (!/^(?:\/[^/?#]+)*$/.test(basePath)) refuse('basePath', 'must be empty or begin, and not end, with a slash')
  if (onDisconnect !== 'continue' && onDisconnect !== 'cancel') refuse('onDisconnect', 'must be "continue" or "cancel"')
  if (typeof rawContent !== 'boolean') refuse('rawContent', 'must be true or false')
  const { onError } = options
  return {
    ...options,
    rawContent,
    onDisconnect,
    basePath,
    bodyLimit: options.bodyLimit ?? 1_048_576,
    bodyTimeout: options.bodyTimeout ?? 30_000,
    heartbeat: options.heartbeat ?? 15_000,
    stallTimeout: options.stallTimeout ?? 60_000,
    sessionClaim: options.sessionClaim ?? 60_000,
    limits: readLimits(options.limits ?? {}),
    runtime: readRuntime(options.runtime ?? {}),
    onError(error, info) {
      try {
        onError?.(error, info)
      } catch {
        // Whoever is told of failures has failed: there is nobody left to tell.
      }
    },
  }
}

function readLimits(given: Partial<HandlerLimits>): HandlerLimits {
  checkKeys(given, 'limits', Object.keys(defaultLimits))
  for (const [name, value] of Object.entries(given)) checkCount(value, `limits.${name}`)
  const { runs, runsPerUser, followers, followersPerUser, uploads } = given
  return {
    runs: runs ?? defaultLimits.runs,
    runsPerUser: runsPerUser ?? defaultLimits.runsPerUser,
    followers: followers ?? defaultLimits.followers,
    followersPerUser: followersPerUser ?? defaultLimits.followersPerUser,
    uploads: uploads ?? defaultLimits.uploads,
  }
}

function readRuntime(given: Partial<Runtime>): Runtime {
  checkKeys(given, 'runtime', ['clock', 'random', 'newId'])
  checkMethods(given.clock, 'runtime.clock', ['now', 'setTimer'])
  checkFunction(given.random, 'runtime.random')
  checkFunction(given.newId, 'runtime.newId')
  const { clock, random, newId } = given
  return {
    clock: clock ?? systemRuntime.clock,
    random: random ?? systemRuntime.random,
    newId: newId ?? systemRuntime.newId,
  }
}
