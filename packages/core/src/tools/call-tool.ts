import { MillraceError } from '../kit/errors.ts'
import { isRecord, hasMethod } from '../kit/guards.ts'
import type { ToolCall, ToolCallEnd } from '../run/middleware.ts'
import { type Clock, timeLimit } from '../kit/clock.ts'
import { linkedController, onAbort } from '../kit/signals.ts'
import {
  type PreparedCall,
  type ReconcileContext,
  type Reconciliation,
  type Tool,
  type ToolContext,
  ToolError,
} from './define-tool.ts'
import type { ToolProgress } from '../protocol/events.ts'
import { describeIssues, type InputIssue } from './schema.ts'
import { toErrorContent, toResultContent } from './tool-output.ts'

export interface CallToolOptions {
  readonly clock: Clock
  /** Milliseconds that the call may take. */
  readonly timeout: number
  /** Milliseconds that a tool has to stop by itself after its timeout. */
  readonly abortGrace: number
  /** Milliseconds that a tool has to stop by itself after an interrupt. */
  readonly interruptGrace: number
  readonly runId: string
  readonly turn: number
  readonly report: (error: MillraceError) => void
}

type ValidCall = Extract<PreparedCall, { readonly issues?: undefined }>

type Settled =
  | { readonly status: 'invalid'; readonly issues: readonly InputIssue[] }
  | { readonly status: 'returned'; readonly output: unknown }
  /** `stopped`: the signal had aborted by then. */
  | { readonly status: 'threw'; readonly error: unknown; readonly stopped: boolean }
  | { readonly status: 'unresponsive' }

/** What stopped a call. */
interface Stop {
  readonly outcome: 'timeout' | 'cancelled'
  readonly why: string
}

/** Validates the input and runs the tool. Never rejects, and does not wait for a tool that ignores its signal. */
export async function callTool(tool: Tool, call: ToolCall, options: CallToolOptions): Promise<ToolCallEnd> {
  const { clock, timeout, abortGrace, interruptGrace, runId, turn, report } = options
  const link = linkedController(call.signal)
  const { signal } = link
  let over = false
  const context = {
    signal,
    toolUseId: call.toolUseId,
    idempotencyKey: call.idempotencyKey,
    runId,
    turn,
    progress(given: ToolProgress): void {
      if (over || signal.aborted) return
      try {
        call.progress(given)
      } catch (cause) {
        report(new MillraceError('middleware_failed', 'A middleware failed to pass progress on', { cause }))
      }
    },
  }
  let started: ValidCall | undefined

  async function work(): Promise<Settled> {
    const prepared = await prepare(tool, call.input)
    if (prepared.issues !== undefined) return { status: 'invalid', issues: prepared.issues }
    // A middleware before the call, or the validation, may have taken too long.
    if (signal.aborted) return { status: 'unresponsive' }
    started = prepared
    return run(prepared, context)
  }

  const cancelTimeout = clock.setTimer(() => link.abort(timeoutError(timeout)), timeout)
  const settled = await settle(work(), signal, clock, () => (isTimeout(signal) ? abortGrace : interruptGrace))
  over = true
  cancelTimeout()
  link.dispose()

  if (settled.status === 'returned') return describeOutput(settled.output)
  if (settled.status === 'invalid') {
    return { outcome: 'error', result: `Invalid input:\n${describeIssues(settled.issues)}` }
  }
  const stop = stopOf(signal, timeout)
  if (started === undefined) return withoutEffect(stop)
  const end = settled.status === 'threw' ? thrownEnd(tool, settled, stop) : stoppedEnd(tool, stop)
  if (end.outcome !== 'unknown') return end
  const found = await askTool(started.reconcile, call, clock, abortGrace)
  if (found === undefined) return end
  return found.happened ? describeOutput(found.result) : withoutEffect(signal.aborted ? stop : undefined)
}

/** Validates an input. A validator that throws counts as a refusal. */
async function prepare(tool: Tool, input: unknown): Promise<PreparedCall> {
  try {
    return await tool.prepare(input)
  } catch {
    return { issues: [{ message: 'could not be validated' }] }
  }
}

async function run(call: ValidCall, context: ToolContext): Promise<Settled> {
  try {
    const given = await call.run(context)
    return { status: 'returned', output: isGenerator(given) ? await drive(given, context) : given }
  } catch (error) {
    return { status: 'threw', error, stopped: context.signal.aborted }
  }
}

function isGenerator(value: unknown): value is AsyncGenerator<unknown, unknown, void> {
  return hasMethod(value, Symbol.asyncIterator) && hasMethod(value, 'next') && hasMethod(value, 'return')
}

/** Runs a generator, which yields progress and returns its output. An aborted generator is asked to clean up. */
async function drive(
  generator: AsyncGenerator<unknown, unknown, void>,
  { signal, progress }: ToolContext,
): Promise<unknown> {
  while (true) {
    const step = await generator.next()
    if (step.done === true) return step.value
    if (signal.aborted) {
      await generator.return(undefined)
      throw signal.reason
    }
    if (isRecord(step.value)) progress(step.value)
  }
}

/** Waits for the work, or until its grace has passed after `signal` aborted. */
function settle(work: Promise<Settled>, signal: AbortSignal, clock: Clock, grace: () => number): Promise<Settled> {
  return new Promise((resolve) => {
    let cancel = (): void => {}
    let stopListening = (): void => {}
    const end = (settled: Settled): void => {
      cancel()
      stopListening()
      resolve(settled)
    }
    stopListening = onAbort(signal, () => {
      cancel = clock.setTimer(() => end({ status: 'unresponsive' }), grace())
    })
    void work.then(end)
  })
}

function timeoutError(timeout: number): MillraceError {
  return new MillraceError('tool_timeout', `The call took longer than ${timeout} ms`)
}

function isTimeout(signal: AbortSignal): boolean {
  return signal.reason instanceof MillraceError && signal.reason.code === 'tool_timeout'
}

/** Returns the end of a call with `output`. */
export function describeOutput(output: unknown): ToolCallEnd {
  try {
    return { outcome: 'ok', result: toResultContent(output), output }
  } catch (error) {
    return { outcome: 'error', result: 'The tool ran, but its result cannot be expressed as JSON', output, error }
  }
}

function stopOf(signal: AbortSignal, timeout: number): Stop {
  if (!isTimeout(signal)) return { outcome: 'cancelled', why: 'was cancelled' }
  return { outcome: 'timeout', why: `took longer than ${timeout} ms` }
}

/** Returns the end of a call without an effect. */
function withoutEffect(stop: Stop | undefined): ToolCallEnd {
  const { outcome, why } = stop ?? { outcome: 'error', why: 'failed' }
  return { outcome, result: `The call ${why}, and it took no effect` }
}

/** How a call ended that was stopped, whether it obeyed its signal or not. */
function stoppedEnd({ readOnly }: Tool, { outcome, why }: Stop): ToolCallEnd {
  if (readOnly) return { outcome, result: `The call ${why}` }
  return { outcome: 'unknown', result: `The call ${why}: it is unknown whether it took effect` }
}

/**
 * Returns the end of a call that threw. A tool that obeys its signal stops waiting, but what it has requested may still
 * happen. So after the signal has aborted, only the tool itself can say that the outcome is known.
 */
function thrownEnd(tool: Tool, { error, stopped }: Extract<Settled, { status: 'threw' }>, stop: Stop): ToolCallEnd {
  const stated = error instanceof ToolError ? error.outcome : undefined
  if (stopped && stated === undefined) return { ...stoppedEnd(tool, stop), error }
  const outcome = stated === 'unknown' ? stated : stopped ? stop.outcome : 'error'
  return { outcome, result: toErrorContent(error), error }
}

/** Asks a tool about a call whose process died, within `deadline` milliseconds. */
export function askAfterCrash(
  tool: Tool,
  call: CallIds & { readonly input: unknown },
  clock: Clock,
  deadline: number,
): Promise<Reconciliation> {
  const ask = async (context: ReconcileContext): Promise<unknown> => {
    const prepared = await prepare(tool, call.input)
    // The tool may have a newer schema than the process that started the call.
    return prepared.issues === undefined ? prepared.reconcile?.(context) : undefined
  }
  return askTool(ask, call, clock, deadline)
}

type CallIds = Omit<ReconcileContext, 'signal'>

/** Asks whether a call took effect, within `deadline` milliseconds. A tool that fails to answer cannot tell. */
async function askTool(
  ask: ((context: ReconcileContext) => unknown) | undefined,
  { idempotencyKey, toolUseId }: CallIds,
  clock: Clock,
  deadline: number,
): Promise<Reconciliation> {
  if (ask === undefined) return undefined
  const controller = new AbortController()
  const limit = timeLimit(clock, deadline)
  try {
    const asked = Promise.resolve(ask({ idempotencyKey, toolUseId, signal: controller.signal }))
    asked.catch(() => {})
    return readReconciliation(await Promise.race([asked, limit.over]))
  } catch {
    return undefined
  } finally {
    limit.cancel()
    controller.abort()
  }
}

function readReconciliation(given: unknown): Reconciliation {
  if (!isRecord(given)) return undefined
  if (given['happened'] === true) return { happened: true, result: given['result'] }
  return given['happened'] === false ? { happened: false } : undefined
}
