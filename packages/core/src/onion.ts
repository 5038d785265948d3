import { MillraceError } from './errors.ts'
import type { CancelTimer, Clock } from './runtime.ts'

export interface OnionOptions<In, Out> {
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

/** One layer: its name, for reports, and what it does around `next`. */
export interface Layer<In, Out> {
  readonly name: string
  readonly around: (input: In, next: (input: In) => Promise<Out>) => Promise<Out>
}

/**
 * Runs `core` inside `layers`, the first outermost. A layer that throws, hangs or gives no answer is reported and left
 * out: what it wraps runs exactly once all the same. Rejects only where `core` does.
 */
export function runOnion<In, Out>(
  layers: readonly Layer<In, Out>[],
  input: In,
  options: OnionOptions<In, Out>,
): Promise<Out> {
  const [layer, ...inner] = layers
  if (layer === undefined) return options.core(input)
  return runLayer(layer, input, (changed) => runOnion(inner, changed, options), options)
}

async function runLayer<In, Out>(
  layer: Layer<In, Out>,
  input: In,
  inner: (input: In) => Promise<Out>,
  { clock, grace, patience, report, accept }: OnionOptions<In, Out>,
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
  const next = (changed: In): Promise<Out> => {
    cancel()
    called ??= inner(changed).finally(arm)
    return called
  }
  if (patience?.aborted === false) patience.addEventListener('abort', stopWaiting)
  else arm()
  try {
    const given: unknown = await Promise.race([layer.around(input, next), late])
    if (given === 'late') throw new Error('no answer in time')
    if (accept(given, called !== undefined)) {
      await called
      return given
    }
    throw new TypeError('not an answer')
  } catch (cause) {
    // Where the failure is the core's own, this rejects with it, and there is nothing to report.
    const settled = await next(input)
    report(new MillraceError('middleware_failed', `The middleware "${layer.name}" failed and was left out`, { cause }))
    return settled
  } finally {
    cancel()
    patience?.removeEventListener('abort', stopWaiting)
  }
}
