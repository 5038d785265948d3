import { type Context, createContextKey } from '@opentelemetry/api'

/** What `suppressTracing` of `@opentelemetry/core` sets. Keys are global by their name. */
const suppressed = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

/**
 * A context in which no span can start until it is unmuted. The client starts its span inside the call of
 * `messages.create`. Later spans in the same context (of the HTTP client, of tools and callbacks) must not be lost, so the
 * key cannot stay set.
 */
export function muted(base: Context): { readonly context: Context; readonly unmute: () => void } {
  let isMuted = true
  const context: Context = {
    getValue: (key) => (isMuted && key === suppressed ? true : base.getValue(key)),
    setValue: (key, value) => base.setValue(key, value),
    deleteValue: (key) => base.deleteValue(key),
  }
  return {
    context,
    unmute: () => {
      isMuted = false
    },
  }
}
