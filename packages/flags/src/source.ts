import type { FlagClient, FlagContext, FlagDetails } from '@millrace/core'
import type { FlagMetadata, JsonValue } from './document.ts'
import type { FlagIssue } from './issues.ts'

/** OpenFeature's names of what can go wrong in an evaluation. */
export type FlagErrorCode =
  | 'PROVIDER_NOT_READY'
  | 'FLAG_NOT_FOUND'
  | 'PARSE_ERROR'
  | 'TYPE_MISMATCH'
  | 'TARGETING_KEY_MISSING'
  | 'GENERAL'

/** OpenFeature's names of why a value is what it is. */
export type FlagReason =
  | 'STATIC'
  | 'DEFAULT'
  | 'TARGETING_MATCH'
  | 'SPLIT'
  | 'DISABLED'
  | 'CACHED'
  | 'STALE'
  | 'ERROR'
  | 'UNKNOWN'

/** What a source says of a flag, of any type, before a default is put in. */
export type FlagResolution =
  | {
      readonly status: 'resolved'
      readonly value: JsonValue
      readonly reason: FlagReason
      readonly variant?: string
      readonly metadata?: FlagMetadata
    }
  /** The flag leaves it to the default that the code has. */
  | { readonly status: 'default'; readonly reason: 'DEFAULT' | 'DISABLED'; readonly metadata?: FlagMetadata }
  | { readonly status: 'error'; readonly errorCode: FlagErrorCode; readonly errorMessage: string }

/** The answer to a boolean question, as OpenFeature shapes it. */
export interface BooleanDetails extends FlagDetails<boolean> {
  readonly reason: FlagReason
  readonly errorCode?: FlagErrorCode
  /** For operators: holds no key, body or path. */
  readonly errorMessage?: string
}

/** Something that a source could not do. It goes on with what it last knew. */
export interface FlagProblem {
  /** Milliseconds since the epoch. */
  readonly at: number
  /**
   * `unreachable`: the file, server or store did not answer; `invalid`: it answered with what is no flag document;
   * `emptied`: with one that holds no flag any more; `dropped`: with one that lacks a flag which this process uses.
   */
  readonly code: 'unreachable' | 'invalid' | 'emptied' | 'dropped'
  readonly message: string
  readonly issues: readonly FlagIssue[]
}

/** What happened to a source. */
export type FlagSourceEvent =
  /** Its first flags are there. */
  | { readonly type: 'ready' }
  /** These flags may evaluate differently from now on. */
  | { readonly type: 'changed'; readonly flags: readonly string[] }
  /** It refused an update or could not get one, and goes on with what it knew. */
  | { readonly type: 'failed'; readonly problem: FlagProblem }
  /** It works again after `failed` or `stale`. */
  | { readonly type: 'recovered' }
  /** What it knows has not been confirmed for longer than `maxAge`; it still answers from it. */
  | { readonly type: 'stale'; readonly ageMs: number }

/** One flag in words. */
export interface FlagDescription {
  readonly key: string
  /** Such as `on for 10% of targetingKey (murmur3-32/1, salt "use_streaming"), and for internal; else off`. */
  readonly rule: string
}

/** What a source would answer, for operators. Holds no secret. */
export interface SourceDescription {
  readonly name: string
  /** `starting`: nothing known yet; `failed`: nothing known, and the first attempt failed. */
  readonly status: 'starting' | 'ready' | 'stale' | 'failed' | 'closed'
  /** When what it knows was last confirmed, in milliseconds since the epoch. */
  readonly asOf?: number
  readonly ageMs?: number
  /** The newest failure that was not followed by a success. */
  readonly problem?: FlagProblem
  readonly warnings: readonly FlagIssue[]
  readonly flags: readonly FlagDescription[]
}

/** A source of flags that keeps what it knows in memory and itself up to date. */
export interface FlagSource extends FlagClient {
  readonly name: string
  /** Never throws or rejects. */
  getBooleanDetails(key: string, fallback: boolean, context?: FlagContext): BooleanDetails | PromiseLike<BooleanDetails>
  /** The value of a flag of any type. Never throws or rejects. */
  resolve(key: string, context?: FlagContext): FlagResolution | PromiseLike<FlagResolution>
  describe(): SourceDescription
  /** Calls `listener` on every event until the returned function is called. What a listener throws is dropped. */
  onChange(listener: (event: FlagSourceEvent) => void): () => void
  /**
   * Resolves once its first flags are there. Rejects with a `MillraceError` (`flag_failed`) where the first attempt to get
   * them failed (the source goes on trying), with the reason of `signal` where that aborts, and once it is closed.
   */
  ready(signal?: AbortSignal): Promise<void>
  /** Stops all work and frees timers, watchers and connections. It goes on answering from what it knew. */
  close(): Promise<void>
}

/** A source that answers at once, from memory. */
export interface LocalFlagSource extends FlagSource {
  getBooleanDetails(key: string, fallback: boolean, context?: FlagContext): BooleanDetails
  resolve(key: string, context?: FlagContext): FlagResolution
}

/** Turns what a source knows of a flag into the answer to a boolean question. */
export function toBooleanDetails(resolution: FlagResolution, key: string, fallback: boolean): BooleanDetails {
  if (resolution.status === 'error') return failedDetails(fallback, resolution.errorCode, resolution.errorMessage)
  if (resolution.status === 'default') return { value: fallback, reason: resolution.reason }
  const { value, reason, variant } = resolution
  if (typeof value !== 'boolean') return failedDetails(fallback, 'TYPE_MISMATCH', `flag ${key} is not boolean`)
  return variant === undefined ? { value, reason } : { value, reason, variant }
}

/** The answer where there is none: the fallback, and why. */
export function failedDetails(fallback: boolean, errorCode: FlagErrorCode, errorMessage: string): BooleanDetails {
  return { value: fallback, reason: 'ERROR', errorCode, errorMessage }
}

/** Marks the value of a flag as stale if what the source knows is. */
export function markStale(resolution: FlagResolution, stale: boolean): FlagResolution {
  return stale && resolution.status === 'resolved' ? { ...resolution, reason: 'STALE' } : resolution
}
