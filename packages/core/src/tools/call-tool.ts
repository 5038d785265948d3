import { MillraceError } from '../errors.ts'
import { isRecord } from '../messages.ts'
import type { ToolCall, ToolCallEnd } from '../middleware.ts'
import type { Clock } from '../runtime.ts'
import { linkedController } from '../signals.ts'
import type { Reconciliation, Tool, ToolProgress } from './define-tool.ts'
import { describeIssues } from './schema.ts'
import { toErrorContent, toResultContent } from './tool-output.ts'

export interface CallToolOptions {
  readonly clock: Clock
  /** Milliseconds that the call may take. */
  readonly timeout: number
  /** Milliseconds that a tool has, after its time is up, to stop by itself. */
  readonly abortGrace: number
  /** The same after the run was interrupted. */
  readonly interruptGrace: number
  readonly runId: string
  readonly turn: number
}

type Settled =
  | { readonly status: 'returned'; readonly output: unknown }
  | { readonly status: 'threw'; readonly error: unknown }
  | { readonly status: 'deaf' }

/** Validates the input and runs the tool. Never rejects, and never waits for a tool that ignores its signal. */
export async function callTool(tool: Tool, call: ToolCall, options: CallToolOptions): Promise<ToolCallEnd> {
  const { clock, timeout, abortGrace, interruptGrace, runId, turn } = options
  const valid = await validate(tool, call.input)
  if (valid.issues !== undefined) return { outcome: 'error', result: `Invalid input:\n${describeIssues(valid.issues)}` }

  const link = linkedController(call.signal)
  let over = false
  const context = {
    signal: link.signal,
    toolUseId: call.toolUseId,
    idempotencyKey: call.idempotencyKey,
    runId,
    turn,
    progress: (report: ToolProgress) => {
      if (!over && !link.signal.aborted) call.progress(report)
    },
  }
  const cancelTimeout = clock.setTimer(() => link.abort(timeoutError(timeout)), timeout)
  const settled = await settle(run(tool, valid.value, context), link.signal, clock, () =>
    isTimeout(link.signal) ? abortGrace : interruptGrace,
  )
  over = true
  cancelTimeout()
  link.dispose()

  if (settled.status === 'returned') return describeOutput(settled.output)
  if (settled.status === 'threw') return describeThrow(settled.error, link.signal, timeout)
  const timedOut = isTimeout(link.signal)
  return reconcile(tool, call, valid.value, { clock, deadline: abortGrace, timedOut, timeout })
}

async function validate(tool: Tool, input: unknown): Promise<Awaited<ReturnType<Tool['validate']>>> {
  try {
    return await tool.validate(input)
  } catch {
    return { issues: [{ message: 'could not be validated' }] }
  }
}

async function run(tool: Tool, input: unknown, context: Parameters<Tool['run']>[1]): Promise<Settled> {
  try {
    const given = await tool.run(input, context)
    return { status: 'returned', output: isGenerator(given) ? await drive(given, context) : given }
  } catch (error) {
    return { status: 'threw', error }
  }
}

function isGenerator(value: unknown): value is AsyncGenerator<unknown, unknown, void> {
  return (
    typeof value === 'object' && value !== null && Symbol.asyncIterator in value && 'next' in value && 'return' in value
  )
}

/** What a generator yields is progress, what it returns its output. An aborted one is asked to clean up. */
async function drive(
  generator: AsyncGenerator<unknown, unknown, void>,
  { signal, progress }: Parameters<Tool['run']>[1],
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

/** Waits for the work, or until it has let its grace pass after `signal` aborted. */
function settle(work: Promise<Settled>, signal: AbortSignal, clock: Clock, grace: () => number): Promise<Settled> {
  return new Promise((resolve) => {
    let cancel = (): void => {}
    const giveUp = (): void => {
      cancel = clock.setTimer(() => end({ status: 'deaf' }), grace())
    }
    const end = (settled: Settled): void => {
      cancel()
      signal.removeEventListener('abort', giveUp)
      resolve(settled)
    }
    if (signal.aborted) giveUp()
    else signal.addEventListener('abort', giveUp, { once: true })
    void work.then(end)
  })
}

function timeoutError(timeout: number): MillraceError {
  return new MillraceError('tool_timeout', `The call took longer than ${timeout} ms`)
}

function isTimeout(signal: AbortSignal): boolean {
  return signal.reason instanceof MillraceError && signal.reason.code === 'tool_timeout'
}

/** How a call ended that gave `output`. */
export function describeOutput(output: unknown): ToolCallEnd {
  try {
    return { outcome: 'ok', result: toResultContent(output), output }
  } catch (error) {
    return { outcome: 'error', result: 'The tool ran, but its result cannot be expressed as JSON', output, error }
  }
}

function describeThrow(error: unknown, signal: AbortSignal, timeout: number): ToolCallEnd {
  if (!signal.aborted) return { outcome: 'error', result: toErrorContent(error), error }
  return isTimeout(signal)
    ? { outcome: 'timeout', result: `The call was stopped because it took longer than ${timeout} ms`, error }
    : { outcome: 'cancelled', result: 'The call was cancelled while it ran', error }
}

interface ReconcileOptions {
  readonly clock: Clock
  readonly deadline: number
  readonly timedOut: boolean
  readonly timeout: number
}

/** Asks the tool whether a call that could not be stopped has happened; without an answer its outcome is unknown. */
async function reconcile(tool: Tool, call: ToolCall, input: unknown, options: ReconcileOptions): Promise<ToolCallEnd> {
  const { clock, deadline, timedOut, timeout } = options
  const found = await askTool(tool, call, input, clock, deadline)
  if (found?.happened === true) return describeOutput(found.result)
  const why = timedOut ? `did not end within ${timeout} ms` : 'was cancelled'
  if (found?.happened === false) {
    return { outcome: timedOut ? 'timeout' : 'cancelled', result: `The call ${why}, and it took no effect` }
  }
  return {
    outcome: 'unknown',
    result: `The call ${why} and could not be stopped: it is unknown whether it took effect`,
  }
}

/** Asks `reconcile`, where there is one, for an answer within `deadline` milliseconds. */
export async function askTool(
  tool: Tool,
  call: { readonly idempotencyKey: string; readonly toolUseId: string },
  input: unknown,
  clock: Clock,
  deadline: number,
): Promise<Reconciliation> {
  const { reconcile: ask } = tool
  if (ask === undefined) return undefined
  const controller = new AbortController()
  const { idempotencyKey, toolUseId } = call
  let cancel = (): void => {}
  const late = new Promise<undefined>((resolve) => {
    cancel = clock.setTimer(() => resolve(undefined), deadline)
  })
  try {
    const asked = Promise.resolve(ask(input, { idempotencyKey, toolUseId, signal: controller.signal }))
    asked.catch(() => {})
    return readReconciliation(await Promise.race([asked, late]))
  } catch {
    return undefined
  } finally {
    cancel()
    controller.abort()
  }
}

function readReconciliation(given: unknown): Reconciliation {
  if (!isRecord(given)) return undefined
  if (given['happened'] === true) return { happened: true, result: given['result'] }
  return given['happened'] === false ? { happened: false } : undefined
}
