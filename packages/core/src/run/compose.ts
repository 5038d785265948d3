import { MillraceError } from '../kit/errors.ts'
import type { Middleware, RunScope } from './middleware.ts'
import type { CancelTimer, Clock } from '../kit/clock.ts'
import { onAbort } from '../kit/signals.ts'

export interface ComposeOptions<In, Out> {
  readonly scope: RunScope
  /** The layer of a middleware, where it has one of this kind. */
  readonly layerOf: (middleware: Middleware) => Around<In, Out> | undefined
  readonly clock: Clock
  /** Milliseconds that a layer may take before it calls `next`, and again after that has settled. */
  readonly grace: number
  /** Where given, a layer may take as long as it likes before it calls `next`, until this aborts. */
  readonly patience?: AbortSignal
  readonly report: (error: MillraceError) => void
  /** Whether a layer may answer without calling `next`, and whether what it gave is an answer. */
  readonly accept: (given: unknown, called: boolean) => given is Out
  readonly core: (input: In) => Promise<Out>
}

/** What a middleware does around `next`. */
export type Around<In, Out> = (input: In, next: (input?: In) => Promise<Out>, scope: RunScope) => Promise<Out>

/**
 * Runs `core` inside those of `use` that have such a layer, the first outermost. One that throws, hangs or gives no
 * answer is reported and left out: what it wraps runs exactly once all the same. Rejects only where `core` does.
 */
export function compose<In, Out>(
  use: readonly Middleware[],
  input: In,
  options: ComposeOptions<In, Out>,
): Promise<Out> {
  const [first, ...inner] = use
  if (first === undefined) return options.core(input)
  const next = (changed: In): Promise<Out> => compose(inner, changed, options)
  // Bound, since it may be an instance of a class.
  const around = options.layerOf(first)?.bind(first)
  return around === undefined ? next(input) : runLayer(first.name, around, input, next, options)
}

async function runLayer<In, Out>(
  name: string,
  around: Around<In, Out>,
  input: In,
  inner: (input: In) => Promise<Out>,
  { scope, clock, grace, patience, report, accept }: ComposeOptions<In, Out>,
): Promise<Out> {
  let called: Promise<Out> | undefined
  let cancel: CancelTimer = () => {}
  let expire: () => void = () => {}
  const late = new Promise<'late'>((resolve) => {
    expire = () => resolve('late')
  })
  const arm = (): void => {
    cancel()
    cancel = clock.setTimer(expire, grace)
  }
  const stopWaiting = (): void => {
    if (called === undefined) arm()
  }
  const next = (changed = input): Promise<Out> => {
    cancel()
    called ??= inner(changed).finally(arm)
    return called
  }
  const stopListening = patience === undefined ? undefined : onAbort(patience, stopWaiting)
  if (patience === undefined) arm()
  try {
    const given: unknown = await Promise.race([around(input, next, scope), late])
    if (given === 'late') throw new Error('no answer in time')
    if (accept(given, called !== undefined)) {
      await called
      return given
    }
    throw new TypeError('not an answer')
  } catch (cause) {
    // Where the failure is the core's own, this rejects with it, and there is nothing to report.
    const settled = await next()
    report(new MillraceError('middleware_failed', `The middleware "${name}" failed and was left out`, { cause }))
    return settled
  } finally {
    cancel()
    stopListening?.()
  }
}
