import { type Context, createContextKey } from '@opentelemetry/api'

/** What `suppressTracing` of `@opentelemetry/core` sets. Keys are global by their name. */
const suppressed = createContextKey('OpenTelemetry SDK Context Key SUPPRESS_TRACING')

/**
 * A context in which no span can begin until it is unmuted. The client starts its span in the very call of
 * `messages.create`; what comes later in the same context (the HTTP client's spans, those of tools and callbacks) must
 * not be lost with it, so setting the key for good will not do.
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
