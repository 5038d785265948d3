import type { FlagContext } from '@millrace/core'
import { isRecord, withMethods } from '@millrace/core/kit'
import {
  ErrorCode,
  type FlagMetadata,
  type JsonValue,
  OpenFeatureEventEmitter,
  type Provider,
  ProviderEvents,
  type ResolutionDetails,
} from '@openfeature/server-sdk'
import type { FlagErrorCode, FlagResolution, FlagSource, FlagSourceEvent } from './source.ts'

const aFlagSource = withMethods('resolve', 'onChange', 'ready', 'close')

/**
 * Makes an OpenFeature provider of a source. Needs the peer `@openfeature/server-sdk`.
 *
 * `initialize` waits for the source's first flags, and `onClose` closes the source. Its events become `PROVIDER_STALE`,
 * `PROVIDER_CONFIGURATION_CHANGED`, `PROVIDER_ERROR` (an update failed; flags are still answered from what is known) and,
 * after one of those, `PROVIDER_READY`.
 *
 * @throws MillraceError `invalid_option` if `source` is not a flag source
 */
export function createProvider(source: FlagSource): Provider {
  aFlagSource(source, 'source')
  const events = new OpenFeatureEventEmitter()
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
    // `T` is what the caller of OpenFeature expects. Only that it is an object can be checked.
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
  if (!accepts(value)) return toError(fallback, 'TYPE_MISMATCH', `flag "${key}" has another type`)
  return { value, reason, ...(variant !== undefined && { variant }), ...showMetadata(metadata) }
}

function toError<T>(value: T, code: FlagErrorCode, errorMessage: string): ResolutionDetails<T> {
  return { value, reason: 'ERROR', errorMessage, errorCode: ErrorCode[code] }
}

function showMetadata(flagMetadata: FlagMetadata | undefined): { flagMetadata?: FlagMetadata } {
  return flagMetadata === undefined ? {} : { flagMetadata }
}

function forward(event: FlagSourceEvent, events: OpenFeatureEventEmitter): void {
  switch (event.type) {
    // The SDK announces the first readiness itself, when `initialize` resolves. This is for a source that failed first.
    case 'ready':
    case 'recovered':
      return events.emit(ProviderEvents.Ready)
    case 'changed':
      return events.emit(ProviderEvents.ConfigurationChanged, { flagsChanged: [...event.flags] })
    case 'stale':
      return events.emit(ProviderEvents.Stale, { message: `not confirmed for ${event.ageMs} ms` })
    case 'failed':
      return events.emit(ProviderEvents.Error, { message: event.problem.message })
  }
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
