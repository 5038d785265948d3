import { defined } from '../kit/defined.ts'
import { isMillraceError, MillraceError } from '../kit/errors.ts'
import type { EventBody, ToolProgress } from '../protocol/events.ts'
import { isRecord } from '../kit/guards.ts'
import type { ToolUseBlock } from '../protocol/messages.ts'
import type { Middleware, RunScope, ToolCall, ToolCallEnd } from '../run/middleware.ts'
import { compose } from '../run/compose.ts'
import type { Limits } from '../run/limits.ts'
import type { Clock } from '../kit/clock.ts'
import { linkedController } from '../kit/signals.ts'
import { callTool } from './call-tool.ts'
import type { Tool } from './define-tool.ts'
import type { ToolLedger } from '../run/tool-ledger.ts'
import { acceptable } from './tool-output.ts'

export interface ExecutorOptions {
  readonly clock: Clock
  readonly limits: Limits
  readonly scope: RunScope
  readonly middleware: readonly Middleware[]
  readonly ledger: ToolLedger | undefined
  readonly turn: number
  readonly emit: (event: EventBody) => void
  readonly report: (error: MillraceError) => void
  /** Resolves when everything emitted so far is durable. Rejects if the store refuses. */
  readonly flush: () => Promise<void>
  /** Whether consumers are so far behind that progress is left out. */
  readonly hasBackpressure: () => boolean
}

/** One execution of one call. */
export interface Execution {
  readonly tool: Tool
  readonly call: ToolUseBlock
  readonly attempt: number
  readonly signal: AbortSignal
  readonly startedAt: number
  /** Whether an early call has been discarded. */
  readonly isDiscarded?: () => boolean
}

/** Executes single calls: emits their events, flushes the store, calls the middleware, fills the ledger. */
export interface Executor {
  /** Starts, runs and settles a call. Never rejects because of a tool, a middleware or the store: check `storeError`. */
  perform(execution: Execution): Promise<ToolCallEnd>
  /** Emits a call's end; returns it with what the API takes of its result. */
  finish(call: ToolUseBlock, end: ToolCallEnd, startedAt: number): ToolCallEnd
  /** Does the same, writes the end into the ledger, and makes that of a call with effects durable. */
  settle(call: ToolUseBlock, end: ToolCallEnd, startedAt: number, readOnly: boolean): Promise<ToolCallEnd>
  /** Returns the one key for all executions of a call, also after a crash. */
  keyOf(toolUseId: string): string
  /** Returns the milliseconds that a call of this tool may take. */
  timeoutOf(tool: Tool): number
  readonly clock: Clock
  /** Set once the store has refused a flush: no further call may start. */
  readonly storeError: MillraceError | undefined
}

/** What the model is told if a start could not be stored. */
export const notStored = 'The call was not run: its start could not be stored'

export const notRun = 'The call was not run: the run was interrupted'

// oxlint-disable-next-line max-lines-per-function -- short functions over what one turn's calls share
export function createExecutor(options: ExecutorOptions): Executor {
  const { clock, limits, scope, middleware, ledger, turn, emit, report, flush, hasBackpressure } = options
  const keyOf = (toolUseId: string): string => `${scope.runId}:${toolUseId}`
  const timeoutOf = (tool: Tool): number => tool.timeout ?? limits.toolTimeout
  let storeError: MillraceError | undefined

  /** Returns whether everything so far is durable. Remembers the error if it is not. */
  async function isDurable(): Promise<boolean> {
    try {
      await flush()
    } catch (error) {
      storeError ??= isMillraceError(error)
        ? error
        : new MillraceError('store_unavailable', 'The store failed', { cause: error })
    }
    return storeError === undefined
  }

  function finish(call: ToolUseBlock, end: ToolCallEnd, startedAt: number): ToolCallEnd {
    const { outcome } = end
    const result = acceptable(end.result, outcome !== 'ok')
    const { id: toolUseId, name, input } = call
    const durationMs = Math.max(0, clock.now() - startedAt)
    emit({ type: 'tool.finished', toolUseId, name, input, turn, result, outcome, durationMs })
    return { ...end, result }
  }

  /** Writes a call into the ledger. */
  function enter({ id: toolUseId, name, input }: ToolUseBlock, end: ToolCallEnd, readOnly: boolean): void {
    const { outcome, result, output, error } = end
    const entry = { name, input, toolUseId, idempotencyKey: keyOf(toolUseId), outcome, readOnly, result }
    try {
      ledger?.record({ ...entry, ...defined({ output, error }) })
    } catch (cause) {
      report(new MillraceError('callback_failed', 'The ledger failed', { cause }))
    }
  }

  async function settle(
    call: ToolUseBlock,
    given: ToolCallEnd,
    startedAt: number,
    readOnly: boolean,
  ): Promise<ToolCallEnd> {
    const end = finish(call, given, startedAt)
    enter(call, end, readOnly)
    if (!readOnly) await isDurable()
    return end
  }

  function execute(tool: Tool, call: ToolUseBlock, signal: AbortSignal, startedAt: number): Promise<ToolCallEnd> {
    const streams = scope.decision.tools[tool.name] ?? true
    const { id: toolUseId, name } = call
    let ended = false
    const sink = (given: ToolProgress): void => {
      if (ended || !streams || signal.aborted || hasBackpressure()) return
      emit({ type: 'tool.progress', toolUseId, name, turn, ...readProgress(given), elapsedMs: clock.now() - startedAt })
    }
    const { runId } = scope
    // Each call has its own signal, so that listeners of tools and middleware do not add up over the calls of a run.
    const link = linkedController(signal)
    const first: ToolCall = {
      toolUseId,
      name,
      input: call.input,
      signal: link.signal,
      idempotencyKey: keyOf(toolUseId),
      progress: sink,
      streams,
      readOnly: tool.readOnly,
    }
    const timeout = timeoutOf(tool)
    const { toolAbortGrace: abortGrace, interruptGrace } = limits
    return compose(middleware, first, {
      scope,
      layerOf: ({ tool: around }) => around,
      clock,
      grace: limits.middlewareGrace,
      // An approval may take any time, until the run is interrupted.
      patience: link.signal,
      report,
      accept: isToolCallEnd,
      core: (changed) => callTool(tool, changed, { clock, timeout, abortGrace, interruptGrace, runId, turn, report }),
    }).finally(() => {
      ended = true
      link.dispose()
    })
  }

  async function perform({ tool, call, attempt, signal, startedAt, isDiscarded }: Execution): Promise<ToolCallEnd> {
    const { id: toolUseId, name, input } = call
    emit({ type: 'tool.started', toolUseId, name, input, turn, attempt })
    // Without a stored start, nobody could know of the effect after a crash. After an interrupt, no call starts.
    const durable = tool.readOnly || (await isDurable())
    if (!durable || signal.aborted) {
      return finish(call, { outcome: 'cancelled', result: durable ? notRun : notStored }, startedAt)
    }
    const given = await execute(tool, call, signal, startedAt)
    if (isDiscarded?.() === true) return given
    return settle(call, given, startedAt, tool.readOnly)
  }

  return {
    perform,
    finish,
    settle,
    keyOf,
    timeoutOf,
    clock,
    get storeError() {
      return storeError
    },
  }
}

/** Checks what a layer returned, because a layer may answer a call without running the tool. */
function isToolCallEnd(given: unknown): given is ToolCallEnd {
  if (!isRecord(given) || typeof given['outcome'] !== 'string') return false
  return typeof given['result'] === 'string' || Array.isArray(given['result'])
}

/** Reads reported progress. A tool written in JavaScript may report anything. */
function readProgress(given: unknown): ToolProgress {
  if (!isRecord(given)) return {}
  const { progress, total, message, data } = given
  return defined({
    progress: finite(progress),
    total: finite(total),
    message: typeof message === 'string' ? message : undefined,
    data: copyOf(data),
  })
}

/** Returns a copy, because the tool may change the data later; undefined for data that is not JSON and cannot be stored. */
function copyOf(data: unknown): unknown {
  if (data === undefined) return undefined
  try {
    return JSON.parse(JSON.stringify(data))
  } catch {
    return undefined
  }
}

function finite(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}
