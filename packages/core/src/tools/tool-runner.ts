import { defined } from '../defined.ts'
import { isMillraceError, MillraceError } from '../errors.ts'
import type { EventBody } from '../events.ts'
import { isRecord, type ToolUseBlock } from '../messages.ts'
import type { Middleware, RunScope, ToolCall, ToolCallEnd } from '../middleware.ts'
import { type Layer, runOnion } from '../onion.ts'
import type { Clock } from '../runtime.ts'
import type { RecoveredCalls } from '../rebuilt-run.ts'
import { linkedController } from '../signals.ts'
import { askTool, callTool, describeOutput } from './call-tool.ts'
import type { Tool, ToolProgress } from './define-tool.ts'
import type { ToolLedger } from './ledger.ts'

export interface ToolLimits {
  readonly parallelTools: number
  readonly toolTimeout: number
  readonly toolAbortGrace: number
  readonly interruptGrace: number
  readonly middlewareGrace: number
}

export interface ToolRunnerOptions {
  readonly clock: Clock
  readonly limits: ToolLimits
  readonly scope: RunScope
  readonly middleware: readonly Middleware[]
  readonly ledger: ToolLedger | undefined
  readonly tools: ReadonlyMap<string, Tool>
  readonly turn: number
  readonly emit: (event: EventBody) => void
  readonly report: (error: MillraceError) => void
  /** Calls that a process which died had started or answered. */
  readonly recovered?: RecoveredCalls
  /** Resolves once everything emitted so far is durable; rejects where the store refuses. */
  readonly barrier: () => Promise<void>
  /** Whether readers are so far behind that progress is better left out. */
  readonly crowded: () => boolean
}

/** A call and what the model is told of it. */
export interface AnsweredCall {
  readonly call: ToolUseBlock
  readonly end: ToolCallEnd
}

/** Runs the calls of one turn. */
export interface ToolRunner {
  /** Starts a call before its turn is whole, where its tool is read-only and may stream. */
  startEarly(call: ToolUseBlock, attempt: number): void
  /** Throws away what was started early, but for the calls in `kept`. */
  discard(kept: readonly ToolUseBlock[]): void
  /**
   * Runs the calls, as many at once as the limit allows, and gives their ends in the order of the calls. Those in
   * `invalid`, whose input was no JSON, are answered so. Never rejects: look at `storeError`.
   */
  run(
    calls: readonly ToolUseBlock[],
    attempt: number,
    invalid?: readonly ToolUseBlock[],
  ): Promise<readonly AnsweredCall[]>
  /** Answers the calls without running them. */
  refuse(calls: readonly ToolUseBlock[], why: string): readonly AnsweredCall[]
  /** Set once the store has refused a barrier: no further call was started. */
  readonly storeError: MillraceError | undefined
}

/** One execution of one call. */
interface Execution {
  readonly tool: Tool
  readonly call: ToolUseBlock
  readonly attempt: number
  readonly signal: AbortSignal
  readonly startedAt: number
  /** Whether an early start was thrown away meanwhile. */
  readonly isDiscarded?: () => boolean
}

interface EarlyCall {
  readonly end: Promise<ToolCallEnd>
  discard(): void
}

/** One key for all executions of a call, also after a crash. */
export function idempotencyKey(runId: string, toolUseId: string): string {
  return `${runId}:${toolUseId}`
}

export function createToolRunner(options: ToolRunnerOptions): ToolRunner {
  const { clock, limits, scope, middleware, ledger, tools, turn, emit, report, barrier, crowded, recovered } = options
  const layers = middleware.flatMap(({ name, tool }): Layer<ToolCall, ToolCallEnd>[] =>
    tool === undefined ? [] : [{ name, around: (call, next) => tool(call, next, scope) }],
  )
  const early = new Map<string, EarlyCall>()
  let storeError: MillraceError | undefined

  /** Whether everything so far is durable; remembers why not. */
  async function isDurable(): Promise<boolean> {
    try {
      await barrier()
    } catch (error) {
      storeError ??= isMillraceError(error)
        ? error
        : new MillraceError('store_unavailable', 'The store failed', { cause: error })
    }
    return storeError === undefined
  }

  function finish(call: ToolUseBlock, end: ToolCallEnd, startedAt: number): void {
    const { outcome, result } = end
    const { id: toolUseId, name, input } = call
    const durationMs = Math.max(0, clock.now() - startedAt)
    emit({ type: 'tool.finished', toolUseId, name, input, turn, result, outcome, durationMs })
  }

  function execute(tool: Tool, call: ToolUseBlock, signal: AbortSignal, startedAt: number): Promise<ToolCallEnd> {
    const streams = scope.decision.tools[tool.name] ?? true
    const { id: toolUseId, name } = call
    let ended = false
    const sink = (given: ToolProgress): void => {
      if (ended || !streams || signal.aborted || crowded()) return
      emit({ type: 'tool.progress', toolUseId, name, turn, ...readProgress(given), elapsedMs: clock.now() - startedAt })
    }
    const { runId } = scope
    const first: ToolCall = {
      toolUseId,
      name,
      input: call.input,
      signal,
      idempotencyKey: idempotencyKey(runId, toolUseId),
      progress: sink,
      streams,
      readOnly: tool.readOnly,
    }
    const timeout = tool.timeout ?? limits.toolTimeout
    const { toolAbortGrace: abortGrace, interruptGrace } = limits
    return runOnion(layers, first, {
      clock,
      grace: limits.middlewareGrace,
      bothSides: false,
      report,
      accept: isToolCallEnd,
      core: (changed) => callTool(tool, changed, { clock, timeout, abortGrace, interruptGrace, runId, turn }),
    }).finally(() => {
      ended = true
    })
  }

  /** Starts, runs and settles one call. */
  async function perform({ tool, call, attempt, signal, startedAt, isDiscarded }: Execution): Promise<ToolCallEnd> {
    const { id: toolUseId, name, input } = call
    emit({ type: 'tool.started', toolUseId, name, input, turn, attempt })
    // An effect that nobody could know of after a crash must not happen.
    if (!tool.readOnly && !(await isDurable())) {
      const unstarted: ToolCallEnd = { outcome: 'cancelled', result: notStored }
      finish(call, unstarted, startedAt)
      return unstarted
    }
    const end = await execute(tool, call, signal, startedAt)
    if (isDiscarded?.() === true) return end
    const { outcome, result, output, error } = end
    ledger?.record({
      name,
      input,
      toolUseId,
      idempotencyKey: idempotencyKey(scope.runId, toolUseId),
      outcome,
      readOnly: tool.readOnly,
      result,
      ...defined({ output, error }),
    })
    finish(call, end, startedAt)
    if (!tool.readOnly) await isDurable()
    return end
  }

  /** How a call ended that had started when its process died; undefined where it may run again. */
  async function reconcileCall(tool: Tool, call: ToolUseBlock): Promise<ToolCallEnd | undefined> {
    if (tool.readOnly || tool.idempotent) return undefined
    const startedAt = clock.now()
    const key = { toolUseId: call.id, idempotencyKey: idempotencyKey(scope.runId, call.id) }
    const found = await askTool(tool, key, call.input, clock, tool.timeout ?? limits.toolTimeout)
    if (found?.happened === false) return undefined
    const end = found === undefined ? unknownAfterCrash : describeOutput(found.result)
    finish(call, end, startedAt)
    await isDurable()
    return end
  }

  function refuseOne(call: ToolUseBlock, outcome: 'error' | 'cancelled', why: string): AnsweredCall {
    const end: ToolCallEnd = { outcome, result: why }
    finish(call, end, clock.now())
    return { call, end }
  }

  async function answer(call: ToolUseBlock, attempt: number, isInvalid: boolean): Promise<AnsweredCall> {
    const settled = recovered?.settled.get(call.id)
    if (settled !== undefined) return { call, end: { outcome: settled.outcome, result: settled.result } }
    const started = early.get(call.id)
    if (started !== undefined) {
      early.delete(call.id)
      return { call, end: await started.end }
    }
    if (scope.signal.aborted) return refuseOne(call, 'cancelled', 'The call was not run: the run was interrupted')
    if (storeError !== undefined) return refuseOne(call, 'cancelled', notStored)
    const tool = tools.get(call.name)
    if (tool === undefined) return refuseOne(call, 'error', `There is no tool named "${call.name}"`)
    if (isInvalid || !isRecord(call.input))
      return refuseOne(call, 'error', 'The input was no JSON object. Call the tool again')
    if (recovered?.started.has(call.id) === true) {
      const end = await reconcileCall(tool, call)
      if (end !== undefined) return { call, end }
    }
    return { call, end: await perform({ tool, call, attempt, signal: scope.signal, startedAt: clock.now() }) }
  }

  return {
    startEarly(call, attempt) {
      const tool = tools.get(call.name)
      if (tool === undefined || !tool.readOnly || early.has(call.id) || early.size >= limits.parallelTools) return
      if (scope.decision.tools[tool.name] === false) return
      const link = linkedController(scope.signal)
      const startedAt = clock.now()
      let discarded = false
      const end = perform({ tool, call, attempt, signal: link.signal, startedAt, isDiscarded: () => discarded })
      const released = end.finally(() => link.dispose())
      // Awaited when the turn is whole; a discarded one never is.
      released.catch(() => {})
      early.set(call.id, {
        end: released,
        discard() {
          discarded = true
          finish(
            call,
            { outcome: 'discarded', result: 'The attempt that asked for this call was discarded' },
            startedAt,
          )
          link.abort(new MillraceError('aborted', 'discarded'))
        },
      })
    },
    discard(kept) {
      const ids = new Set(kept.map(({ id }) => id))
      for (const [id, started] of early) {
        if (ids.has(id)) continue
        early.delete(id)
        started.discard()
      }
    },
    async run(calls, attempt, invalid = []) {
      const answered: AnsweredCall[] = []
      const groups = inSequence(calls)
      const queue = groups.entries()
      const worker = async (): Promise<void> => {
        for (const [, group] of queue) {
          for (const { call, position } of group)
            answered[position] = await answer(call, attempt, invalid.includes(call))
        }
      }
      const workers = Array.from({ length: Math.min(limits.parallelTools, groups.length) }, worker)
      await Promise.all(workers)
      return answered
    },
    refuse: (calls, why) => calls.map((call) => refuseOne(call, 'cancelled', why)),
    get storeError() {
      return storeError
    },
  }
}

const unknownAfterCrash: ToolCallEnd = {
  outcome: 'unknown',
  result: 'The service failed while the call ran: it is unknown whether it took effect. Check before repeating it',
}

const notStored = 'The call was not run: its start could not be stored'

/** Calls of one toolset act on one thing (a browser, a screen) and run one after the other; others on their own. */
function inSequence(calls: readonly ToolUseBlock[]): { readonly call: ToolUseBlock; readonly position: number }[][] {
  const groups: { readonly call: ToolUseBlock; readonly position: number }[][] = []
  const toolsets = new Map<string, { readonly call: ToolUseBlock; readonly position: number }[]>()
  for (const [position, call] of calls.entries()) {
    const toolset = call['toolset_name']
    const group = typeof toolset === 'string' ? toolsets.get(toolset) : undefined
    if (group !== undefined) {
      group.push({ call, position })
      continue
    }
    const started = [{ call, position }]
    groups.push(started)
    if (typeof toolset === 'string') toolsets.set(toolset, started)
  }
  return groups
}

const outcomes = new Set(['ok', 'error', 'timeout', 'unknown', 'cancelled', 'discarded'])

/** A layer may answer a call itself, without running the tool. */
function isToolCallEnd(given: unknown): given is ToolCallEnd {
  if (!isRecord(given) || typeof given['outcome'] !== 'string' || !outcomes.has(given['outcome'])) return false
  return typeof given['result'] === 'string' || Array.isArray(given['result'])
}

/** Reads what a tool reported: a tool written in JavaScript may report anything. */
function readProgress(given: unknown): ToolProgress {
  if (!isRecord(given)) return {}
  const { progress, total, message, data } = given
  return defined({
    progress: finite(progress),
    total: finite(total),
    message: typeof message === 'string' ? message : undefined,
    data,
  })
}

function finite(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined
}
