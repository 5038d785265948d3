import type { FlagContext } from '@millrace/core'
import type {
  AnyProviderEvent,
  ErrorCode,
  EventHandler,
  FlagMetadata,
  JsonValue,
  Provider,
  ProviderEventEmitter,
  ResolutionDetails,
} from '@openfeature/server-sdk'
import { isRecord } from './json.ts'
import { withMethods } from './options.ts'
import type { FlagErrorCode, FlagResolution, FlagSource, FlagSourceEvent } from './source.ts'

const aFlagSource = withMethods('resolve', 'onChange', 'ready', 'close')

/**
 * Makes an OpenFeature provider of a source. Only types of `@openfeature/server-sdk` are imported.
 *
 * `initialize` waits for the source's first flags, `onClose` closes it. Its events become `PROVIDER_STALE`,
 * `PROVIDER_CONFIGURATION_CHANGED`, `PROVIDER_ERROR` (an update failed; flags are still answered from what was known) and,
 * after one of those, `PROVIDER_READY`.
 *
 * @throws MillraceError `invalid_option` where `source` is none
 */
export function createProvider(source: FlagSource): Provider {
  aFlagSource(source, 'source')
  const events = createEmitter()
  const stop = source.onChange((event) => forward(event, events))
  const ask = async <T>(
    key: string,
    fallback: T,
    context: FlagContext,
    accepts: (value: unknown) => value is T,
  ): Promise<ResolutionDetails<T>> => toDetails(await source.resolve(key, context), key, fallback, accepts)
  return {
    metadata: { name: `millrace-${source.name}` },
    runsOn: 'server',
    events,
    initialize: () => source.ready(),
    async onClose() {
      stop()
      await source.close()
    },
    resolveBooleanEvaluation: (key, fallback, context) => ask(key, fallback, context, isBoolean),
    resolveStringEvaluation: (key, fallback, context) => ask(key, fallback, context, isString),
    resolveNumberEvaluation: (key, fallback, context) => ask(key, fallback, context, isNumber),
    // `T` is what the caller of OpenFeature says the object is: nobody can check that.
    resolveObjectEvaluation: <T extends JsonValue>(key: string, fallback: T, context: FlagContext) =>
      ask(key, fallback, context, (value): value is T => isRecord(value)),
  }
}

function toDetails<T>(
  resolution: FlagResolution,
  key: string,
  fallback: T,
  accepts: (value: unknown) => value is T,
): ResolutionDetails<T> {
  if (resolution.status === 'error') return toError(fallback, resolution.errorCode, resolution.errorMessage)
  if (resolution.status === 'default') {
    return { value: fallback, reason: resolution.reason, ...showMetadata(resolution.metadata) }
  }
  const { value, reason, variant, metadata } = resolution
  if (!accepts(value)) return toError(fallback, 'TYPE_MISMATCH', `flag ${key} is of another type`)
  return { value, reason, ...(variant !== undefined && { variant }), ...showMetadata(metadata) }
}

function toError<T>(value: T, code: FlagErrorCode, errorMessage: string): ResolutionDetails<T> {
  return { value, reason: 'ERROR', errorMessage, ...(isErrorCode(code) && { errorCode: code }) }
}

function showMetadata(flagMetadata: FlagMetadata | undefined): { flagMetadata?: FlagMetadata } {
  return flagMetadata === undefined ? {} : { flagMetadata }
}

function forward(event: FlagSourceEvent, events: ProviderEventEmitter<AnyProviderEvent>): void {
  switch (event.type) {
    case 'ready':
      // The SDK announces the first readiness itself, when `initialize` resolves. Where that had failed, this is the news.
      return emit(events, 'PROVIDER_READY', {})
    case 'recovered':
      return emit(events, 'PROVIDER_READY', {})
    case 'changed':
      return emit(events, 'PROVIDER_CONFIGURATION_CHANGED', { flagsChanged: [...event.flags] })
    case 'stale':
      return emit(events, 'PROVIDER_STALE', { message: `not confirmed for ${event.ageMs} ms` })
    case 'failed':
      return emit(events, 'PROVIDER_ERROR', { message: event.problem.message })
  }
}

function emit(
  events: ProviderEventEmitter<AnyProviderEvent>,
  type: string,
  details: { message?: string; flagsChanged?: string[] },
): void {
  if (isProviderEvent(type)) events.emit(type, details)
}

/** The SDK's own emitter needs `node:events` at run time, and the SDK: this one needs neither. */
function createEmitter(): ProviderEventEmitter<AnyProviderEvent> {
  const handlers = new Map<AnyProviderEvent, Set<EventHandler>>()
  const emitter: ProviderEventEmitter<AnyProviderEvent> = {
    emit(type, context) {
      for (const handler of Array.from(handlers.get(type) ?? [])) {
        try {
          void Promise.resolve(handler({ providerName: '', ...context })).catch(() => {})
        } catch {
          // A handler is a bystander of the flags.
        }
      }
    },
    addHandler(type, handler) {
      const added = handlers.get(type) ?? new Set()
      handlers.set(type, added.add(handler))
    },
    removeHandler: (type, handler) => void handlers.get(type)?.delete(handler),
    removeAllHandlers(type) {
      if (type === undefined) handlers.clear()
      else handlers.delete(type)
    },
    getHandlers: (type) => [...(handlers.get(type) ?? [])],
    setLogger: () => emitter,
  }
  return emitter
}

// The SDK's enums are not imported, as that would be code: their values are its published wire names.
const providerEvents: ReadonlySet<string> = new Set([
  'PROVIDER_READY',
  'PROVIDER_ERROR',
  'PROVIDER_CONFIGURATION_CHANGED',
  'PROVIDER_STALE',
])
const errorCodes: ReadonlySet<string> = new Set<FlagErrorCode>([
  'PROVIDER_NOT_READY',
  'FLAG_NOT_FOUND',
  'PARSE_ERROR',
  'TYPE_MISMATCH',
  'TARGETING_KEY_MISSING',
  'GENERAL',
])

function isProviderEvent(type: string): type is AnyProviderEvent {
  return providerEvents.has(type)
}

function isErrorCode(code: string): code is ErrorCode {
  return errorCodes.has(code)
}

function isBoolean(value: unknown): value is boolean {
  return typeof value === 'boolean'
}

function isString(value: unknown): value is string {
  return typeof value === 'string'
}

function isNumber(value: unknown): value is number {
  return typeof value === 'number'
}
