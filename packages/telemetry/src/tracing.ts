import { type Attributes, type Context, context, type Span, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api'
import type { Tracer } from '@opentelemetry/api'
import { attributes } from './conventions.ts'
import type { Guard } from './guard.ts'
import { instrumentationName } from './meter.ts'
import { muted } from './muted-context.ts'

/** The error that a span ends with. Only messages of a MillraceError are used, because they have no content. */
export interface SpanError {
  readonly type: string
  readonly message?: string
}

/** A span that may have failed to start, and the context that holds it if it did start. */
export interface OpenSpan {
  readonly context: Context | undefined
  /** Calls `body` exactly once, inside the span if that is possible. */
  within<T>(body: () => Promise<T>): Promise<T>
  /** As `within`, but what `body` starts before its first `await` gets no span. */
  withinMuted<T>(body: () => Promise<T>): Promise<T>
  end(attributes: Attributes, error: SpanError | undefined): void
}

/** Starts a span below `parent`, or below the active one. */
export type OpenSpanBelow = (
  name: string,
  kind: 'client' | 'internal',
  attributes: Attributes,
  parent: Context | undefined,
) => OpenSpan

/** Creates spans through OpenTelemetry. Its failures never reach the caller. */
export function createTracing(tracer: Tracer | false | undefined, guard: Guard): OpenSpanBelow {
  function start(...[name, kind, given, parent]: Parameters<OpenSpanBelow>): [Span, Context] | undefined {
    if (tracer === false) return undefined
    return guard('tracer', () => {
      const under = parent ?? context.active()
      const spanKind = kind === 'client' ? SpanKind.CLIENT : SpanKind.INTERNAL
      const from = tracer ?? trace.getTracer(instrumentationName)
      const span = from.startSpan(name, { kind: spanKind, attributes: given }, under)
      return [span, trace.setSpan(under, span)]
    })
  }

  function within<T>(given: Context | undefined, body: () => Promise<T>): Promise<T> {
    // Asynchronous, so that a throw of the body is not mistaken for a failure of the context manager.
    const call = async (): Promise<T> => body()
    if (given === undefined) return call()
    let called: Promise<T> | undefined
    guard('tracer', () => {
      context.with(given, () => {
        called = call()
      })
    })
    return called ?? call()
  }

  return (name, kind, given, parent) => {
    const [span, opened] = start(name, kind, given, parent) ?? [undefined, parent]
    return {
      context: opened,
      within: (body) => within(opened, body),
      withinMuted(body) {
        if (span === undefined || opened === undefined) return within(opened, body)
        const { context: quiet, unmute } = muted(opened)
        return within(quiet, () => {
          try {
            return body()
          } finally {
            unmute()
          }
        })
      },
      end(more, error) {
        if (span === undefined) return
        guard('tracer', () => {
          span.setAttributes(more)
          if (error === undefined) return
          const { type, message = type } = error
          span.setAttribute(attributes.errorType, type)
          span.setStatus({ code: SpanStatusCode.ERROR, message })
        })
        guard('tracer', () => span.end())
      },
    }
  }
}
