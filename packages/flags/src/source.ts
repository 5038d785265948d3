import type { FlagClient, FlagContext, FlagDetails } from '@millrace/core'
import type { FlagMetadata, JsonValue } from './document.ts'
import type { FlagIssue } from './issues.ts'

/** OpenFeature's error codes of an evaluation. */
export type FlagErrorCode =
  | 'PROVIDER_NOT_READY'
  | 'FLAG_NOT_FOUND'
  | 'PARSE_ERROR'
  | 'TYPE_MISMATCH'
  | 'TARGETING_KEY_MISSING'
  | 'GENERAL'

/** OpenFeature's reasons for a value. */
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

/** How a source resolves a flag of any type, before the code's default is applied. */
export type FlagResolution =
  | {
      readonly status: 'resolved'
      readonly value: JsonValue
      readonly reason: FlagReason
      readonly variant?: string
      readonly metadata?: FlagMetadata
    }
  /** The flag leaves the value to the code's default. */
  | { readonly status: 'default'; readonly reason: 'DEFAULT' | 'DISABLED'; readonly metadata?: FlagMetadata }
  | { readonly status: 'error'; readonly errorCode: FlagErrorCode; readonly errorMessage: string }

/** The answer to a boolean question, as OpenFeature shapes it. */
export interface BooleanDetails extends FlagDetails<boolean> {
  readonly reason: FlagReason
  readonly errorCode?: FlagErrorCode
  /** For operators. Contains no key, body or path. */
  readonly errorMessage?: string
}

/** Something that a source could not do. It continues with what it knows. */
export interface FlagProblem {
  /** Milliseconds since the epoch. */
  readonly at: number
  /**
   * `unreachable`: the file, server or store did not answer; `invalid`: the document, or a part of it, is invalid;
   * `emptied`: the document has no flag any more; `dropped`: it lacks a flag that this process uses.
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
  /** It refused an update or could not fetch one, and continues with what it knows. Or a part of an update is invalid. */
  | { readonly type: 'failed'; readonly problem: FlagProblem }
  /** It works again after `failed` or `stale`. */
  | { readonly type: 'recovered' }
  /** What it knows was not confirmed for longer than `maxAge`. It still answers from it. */
  | { readonly type: 'stale'; readonly ageMs: number }

/** One flag in words. */
export interface FlagDescription {
  readonly key: string
  /** Such as `on for internal; on for 10% by targetingKey (murmur3-32/1, salt "use_streaming"); else off`. */
  readonly rule: string
}

/** The state of a source and the rules in force, for operators. Contains no secret. */
export interface SourceDescription {
  readonly name: string
  /** `starting`: nothing is known yet; `failed`: nothing is known, and the first attempt failed. */
  readonly status: 'starting' | 'ready' | 'stale' | 'failed' | 'closed'
  /** When its knowledge was last confirmed, in milliseconds since the epoch. */
  readonly asOf?: number
  readonly ageMs?: number
  /** The newest failure without a later success, or what is wrong with the document in force. */
  readonly problem?: FlagProblem
  readonly warnings: readonly FlagIssue[]
  readonly flags: readonly FlagDescription[]
}

/** A source of flags that keeps them in memory and up to date. */
export interface FlagSource extends FlagClient {
  readonly name: string
  /** Never throws or rejects. */
  getBooleanDetails(key: string, fallback: boolean, context?: FlagContext): BooleanDetails | PromiseLike<BooleanDetails>
  /** Resolves a flag of any type. Never throws or rejects. */
  resolve(key: string, context?: FlagContext): FlagResolution | PromiseLike<FlagResolution>
  describe(): SourceDescription
  /** Calls `listener` on every event until the returned function is called. Errors of a listener are ignored. */
  onChange(listener: (event: FlagSourceEvent) => void): () => void
  /**
   * Resolves once the first flags are there. Rejects with a `MillraceError` (`flag_failed`) if the first attempt to fetch them
   * failed (the source keeps trying) or the source is closed, and with the reason of `signal` if that aborts.
   */
  ready(signal?: AbortSignal): Promise<void>
  /** Stops all work and frees timers, watchers and connections. The source still answers from what it knows. */
  close(): Promise<void>
}

/** A source that answers synchronously, from memory. */
export interface LocalFlagSource extends FlagSource {
  getBooleanDetails(key: string, fallback: boolean, context?: FlagContext): BooleanDetails
  resolve(key: string, context?: FlagContext): FlagResolution
}

/** Turns a resolution into the details of a boolean flag. */
export function toBooleanDetails(resolution: FlagResolution, key: string, fallback: boolean): BooleanDetails {
  if (resolution.status === 'error') return failedDetails(fallback, resolution.errorCode, resolution.errorMessage)
  if (resolution.status === 'default') return { value: fallback, reason: resolution.reason }
  const { value, reason, variant } = resolution
  if (typeof value !== 'boolean') return failedDetails(fallback, 'TYPE_MISMATCH', `flag "${key}" is not boolean`)
  return variant === undefined ? { value, reason } : { value, reason, variant }
}

/** Makes the details of a failed evaluation: the fallback, and why. */
export function failedDetails(fallback: boolean, errorCode: FlagErrorCode, errorMessage: string): BooleanDetails {
  return { value: fallback, reason: 'ERROR', errorCode, errorMessage }
}

/** Marks the value of a flag as stale if what the source knows is. */
export function markStale(resolution: FlagResolution, stale: boolean): FlagResolution {
  return stale && resolution.status === 'resolved' ? { ...resolution, reason: 'STALE' } : resolution
}
