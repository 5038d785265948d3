import {
  type Agent,
  agentOf,
  type AgentSource,
  type FlagContext,
  type Message,
  type RunInput,
  type RunStore,
  type Runtime,
  type SessionStore,
} from '@millrace/core'
import {
  aBoolean,
  aCount,
  aDelay,
  aFunction,
  anObject,
  anything,
  checkOptions,
  hasMethod,
  oneOf,
  readRuntime,
  type Rule,
  rule,
  withDefaults,
  withMethods,
} from '@millrace/core/kit'
import type { StartRunBody } from '@millrace/wire'
import { logError, type OnError } from './hooks.ts'

/** What a request wants to do, for `authorize`. */
export type Action = 'start' | 'follow' | 'snapshot' | 'cancel' | 'session' | 'list'

/** Who asks: an id, or the context that flags are evaluated with, whose `targetingKey` is the id. */
export type Identity = string | FlagContext

/**
 * How much may be under way at once. A request with a user counts for that user; one without counts for the address that
 * it comes from, where that is known.
 */
export interface HandlerLimits {
  /** Runs that this handler has under way. Default: 1,000. */
  readonly runs: number
  /** Of them, those of one user. Default: 8. */
  readonly runsPerUser: number
  /** Of them, those of one address without a user. Default: as many as `runs`, since a proxy may stand for everybody. */
  readonly runsPerAddress: number
  /** Responses that follow a run which this request did not start. Default: 10,000. */
  readonly followers: number
  /** Of them, those of one user. Default: 64. */
  readonly followersPerUser: number
  /** Of them, those of one address without a user. Default: as many as `followers`. */
  readonly followersPerAddress: number
  /** Requests whose body is being read. Default: 1,024. */
  readonly uploads: number
  /** Of them, those of one user. Default: 32. */
  readonly uploadsPerUser: number
  /** Of them, those of one address without a user. Default: 256. */
  readonly uploadsPerAddress: number
}

export interface RecoverOptions {
  /**
   * Milliseconds between two looks for such runs, on average: the time is random, between half of it and one and a half.
   * Doubled while the store fails, up to 30,000. 0 looks only when `recover` is called. Default: 2,000.
   */
  readonly every: number
  /** Runs that are taken over at once. Default: 4. */
  readonly concurrency: number
}

export interface HandlerOptions {
  /**
   * What runs: an agent, or a loop of `adaptLoop`, with the legacy loop as its fallback. With `resume`, as an agent of
   * `createAgent` with a journal has it, `recover` can take over runs of a process that died.
   */
  readonly agent: AgentSource
  /** The store that the agent writes its runs to (`createAgent({ journal: runJournal(runs) })`): from it they are followed and looked up. */
  readonly runs: RunStore
  /** Where conversations are kept. Without it every request brings its whole conversation. */
  readonly sessions?: SessionStore
  /**
   * Whether the request may do this. `true` alone admits it; `false` is answered with 403, a Response is the answer.
   * Anything else is answered with 500 and told to `onError`. Default: everything is allowed.
   */
  readonly authorize?: (
    request: Request,
    wish: { readonly action: Action; readonly runId?: string },
  ) => boolean | Response | Promise<boolean | Response>
  /**
   * Whether the request comes from an operator, who may list all runs and cancel any of them. `true` alone admits it.
   * Default: nobody is an operator.
   */
  readonly operator?: (request: Request) => boolean | Promise<boolean>
  /**
   * What a start does while another run of its session is under way: `refuse` answers with 409, `queue` waits for the run to
   * end, `interrupt` cancels it and waits. Both wait for 30 s at most, then 409. Default: `refuse`.
   */
  readonly onBusy?: 'refuse' | 'queue' | 'interrupt'
  /** Who asks. A run belongs to the user who started it; for anybody else it does not exist. Default: no user. */
  readonly identify?: (request: Request) => Identity | undefined | Promise<Identity | undefined>
  /**
   * The address that a request comes from, for the limits of requests without a user. Needed behind a proxy, where all
   * connections come from the proxy. Default: the address of the connection, where the adapter knows it.
   */
  readonly clientAddress?: (request: Request) => string | undefined | Promise<string | undefined>
  /**
   * The conversation that the request belongs to, by an id that the client cannot choose, such as one kept in the
   * framework's session. Where it gives `undefined`, the body's own id counts, within what its user owns.
   */
  readonly sessionId?: (request: Request) => string | undefined | Promise<string | undefined>
  /** Has the last word on what the agent is given. Default: what the body and the session say. */
  readonly toInput?: (
    input: RunInput & { readonly messages: readonly Message[] },
    info: { readonly request: Request; readonly body: StartRunBody },
  ) => RunInput | Promise<RunInput>
  /**
   * Whether a body's `mode: "stream"` starts a stream where the flags say otherwise; the kill switch wins either way.
   * Default: false, the flags decide.
   */
  readonly allowMode?: boolean
  /**
   * Whether a body may add assistant messages and tool results to a session. Default: false: a session keeps what
   * happened, and a client adds what its user says.
   */
  readonly trustHistory?: boolean
  /** Whether clients may ask for raw content: signatures, encrypted blocks, tool results as they are. Default: false. */
  readonly rawContent?: boolean
  /** What happens to a run whose starter leaves before its end. Default: `continue`. */
  readonly onDisconnect?: 'continue' | 'cancel'
  /** The path in front of `/runs`. Default: none; adapters know where they are mounted. */
  readonly basePath?: string
  /** Bytes that a body may have. Default: 1,048,576. */
  readonly bodyLimit?: number
  /** Milliseconds that a body may take to arrive. Default: 30,000. */
  readonly bodyTimeout?: number
  /** Milliseconds that `authorize`, `identify`, `clientAddress`, `sessionId` and `toInput` may take, each. Default: 10,000. */
  readonly hookTimeout?: number
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
  /** How runs are taken over whose process has died or has let them go. With a durable store alone. */
  readonly recover?: Partial<RecoverOptions>
  /** Milliseconds after which clients whose run moves to another instance are told to reconnect. Default: 500. */
  readonly moveRetry?: number
  /**
   * Told of what went wrong inside: a store, an option that failed, a session that could not be written, a run that
   * failed. What it throws or rejects with is ignored. Default: writes to stderr, by `console.error`.
   */
  readonly onError?: OnError
  /** Clock and ids. Default: the platform's. */
  readonly runtime?: Partial<Runtime>
}

type Defaulted =
  | 'allowMode'
  | 'trustHistory'
  | 'rawContent'
  | 'onDisconnect'
  | 'basePath'
  | 'bodyLimit'
  | 'bodyTimeout'
  | 'hookTimeout'
  | 'heartbeat'
  | 'stallTimeout'
  | 'sessionClaim'
  | 'moveRetry'
  | 'onBusy'
  | 'onError'

/** The options, with their defaults. */
export interface HandlerSettings
  extends
    Omit<HandlerOptions, Defaulted | 'agent' | 'limits' | 'recover' | 'runtime'>,
    Required<Pick<HandlerOptions, Defaulted>> {
  readonly agent: Agent
  readonly limits: HandlerLimits
  readonly recover: RecoverOptions
  readonly runtime: Runtime
}

/** Uploads are over in milliseconds, runs are not: only of uploads one address is given less than all by default. */
function defaultLimits({ runs = 1_000, followers = 10_000 }: Partial<HandlerLimits>): HandlerLimits {
  return {
    runs,
    runsPerUser: 8,
    runsPerAddress: runs,
    followers,
    followersPerUser: 64,
    followersPerAddress: followers,
    uploads: 1_024,
    uploadsPerUser: 32,
    uploadsPerAddress: 256,
  }
}

const defaults: Required<Pick<HandlerOptions, Defaulted>> = {
  allowMode: false,
  trustHistory: false,
  rawContent: false,
  onDisconnect: 'continue',
  basePath: '',
  bodyLimit: 1_048_576,
  bodyTimeout: 30_000,
  hookTimeout: 10_000,
  heartbeat: 15_000,
  stallTimeout: 60_000,
  sessionClaim: 60_000,
  moveRetry: 500,
  onBusy: 'refuse',
  onError: logError,
}

const rules: Readonly<Record<keyof HandlerOptions, Rule>> = {
  agent: rule((agent) => hasMethod(agent, 'run') || hasMethod(agent, 'toAgent'), 'must be an agent or an adapted loop'),
  runs: withMethods('read', 'snapshot', 'cancel', 'list'),
  sessions: withMethods('load', 'claim', 'release', 'commit'),
  authorize: aFunction,
  operator: aFunction,
  onBusy: oneOf('refuse', 'queue', 'interrupt'),
  identify: aFunction,
  clientAddress: aFunction,
  sessionId: aFunction,
  toInput: aFunction,
  allowMode: aBoolean,
  trustHistory: aBoolean,
  rawContent: aBoolean,
  onDisconnect: oneOf('continue', 'cancel'),
  basePath: rule(
    (path) => typeof path === 'string' && /^(?:\/[^/?#]+)*$/.test(path),
    'must be empty, or begin and not end with a slash',
  ),
  bodyLimit: aCount(1),
  bodyTimeout: aDelay(),
  hookTimeout: aDelay(),
  heartbeat: aDelay(),
  stallTimeout: aDelay(),
  sessionClaim: aDelay(),
  limits: anObject(Object.fromEntries(Object.keys(defaultLimits({})).map((name) => [name, aCount(1)]))),
  recover: anObject({ every: aDelay(0), concurrency: aCount(1) }),
  moveRetry: aDelay(0),
  onError: aFunction,
  runtime: anything,
}

/** @throws MillraceError `invalid_option`, `unknown_option`, with the option's path */
export function readHandlerOptions(options: HandlerOptions): HandlerSettings {
  checkOptions(options, '', rules)
  const { limits = {} } = options
  rules.agent(options.agent, 'agent')
  rules.runs(options.runs, 'runs')
  return {
    ...options,
    ...withDefaults(defaults, options),
    agent: agentOf(options.agent),
    limits: withDefaults(defaultLimits(limits), limits),
    recover: withDefaults({ every: 2_000, concurrency: 4 }, options.recover ?? {}),
    runtime: readRuntime(options.runtime),
  }
}
