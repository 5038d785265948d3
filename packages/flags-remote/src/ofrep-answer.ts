import { isRecord } from '@millrace/core/kit'
import type { FlagErrorCode, FlagMetadata, FlagReason, FlagResolution, JsonValue } from '@millrace/flags'

/** The resolutions of all flags for one context. */
export type BulkAnswer = ReadonlyMap<string, FlagResolution>

/**
 * Reads the answer to an OFREP bulk evaluation. Returns undefined if it is not one, or if one flag has a wrong shape: without
 * that flag, the answer could lack the kill switch.
 */
export function readBulkAnswer(input: unknown): BulkAnswer | undefined {
  const list = isRecord(input) ? input['flags'] : undefined
  if (!Array.isArray(list)) return undefined
  const flags = new Map<string, FlagResolution>()
  for (const item of list) {
    const flag: unknown = item
    if (!isRecord(flag) || typeof flag['key'] !== 'string') return undefined
    const resolution = readFlag(flag, flag['key'])
    if (resolution === undefined) return undefined
    flags.set(flag['key'], resolution)
  }
  return flags
}

function readFlag(flag: Record<string, unknown>, key: string): FlagResolution | undefined {
  const { value, variant, reason, errorCode } = flag
  if (errorCode !== undefined) {
    if (typeof errorCode !== 'string') return undefined
    // The server's message is not passed on, because it may quote the context.
    return { status: 'error', errorCode: knownError(errorCode), errorMessage: `the server could not evaluate "${key}"` }
  }
  if (variant !== undefined && typeof variant !== 'string') return undefined
  if (reason !== undefined && typeof reason !== 'string') return undefined
  const metadata = readMetadata(flag['metadata'])
  const shown = metadata === undefined ? {} : { metadata }
  // OFREP leaves the value out if the code's default applies, for example for a disabled flag.
  if (value === undefined)
    return { status: 'default', reason: reason === 'DISABLED' ? 'DISABLED' : 'DEFAULT', ...shown }
  if (!isValue(value)) return undefined
  return { status: 'resolved', value, reason: knownReason(reason), ...(variant !== undefined && { variant }), ...shown }
}

/** The value is from `JSON.parse`. Some servers have lists as values of other flags. Null is not a value. */
function isValue(value: unknown): value is JsonValue {
  return value !== null
}

function readMetadata(input: unknown): FlagMetadata | undefined {
  if (!isRecord(input)) return undefined
  const entries = Object.entries(input).flatMap(([key, value]): [string, string | number | boolean][] =>
    typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [[key, value]] : [],
  )
  return Object.fromEntries(entries)
}

function knownError(code: string): FlagErrorCode {
  switch (code) {
    case 'FLAG_NOT_FOUND':
    case 'PARSE_ERROR':
    case 'TYPE_MISMATCH':
    case 'TARGETING_KEY_MISSING':
      return code
    default:
      return 'GENERAL'
  }
}

function knownReason(reason: string | undefined): FlagReason {
  switch (reason) {
    case 'STATIC':
    case 'DEFAULT':
    case 'TARGETING_MATCH':
    case 'SPLIT':
    case 'CACHED':
    case 'STALE':
      return reason
    default:
      return 'UNKNOWN'
  }
}
