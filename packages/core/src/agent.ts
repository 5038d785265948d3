import { refuse } from './kit/checks.ts'
import { defined } from './kit/defined.ts'
import { asMillraceError, type MillraceError } from './kit/errors.ts'
import { isRecord } from './kit/guards.ts'
import { type AgentOptions, type AgentSettings, readAgentOptions } from './loop/agent-options.ts'
import { runLoop } from './loop/loop.ts'
import type { RebuiltRun } from './loop/rebuilt-run.ts'
import { fresh, type ResumePoint } from './loop/resume-point.ts'
import { type LoopEnd, type RunContext, toResult } from './loop/run-context.ts'
import { initialState } from './loop/run-state.ts'
import { withinLimit } from './loop/time-limit.ts'
import type { RunDecision } from './protocol/run-decision.ts'
import type { DrivableAgent, ResumeInput, ResumeResult } from './run/agent.ts'
import { createShownText } from './reduce/shown-text.ts'
import { compose } from './run/compose.ts'
import { createRun } from './run/create-run.ts'
import { decide } from './run/decision.ts'
import type { RunScope } from './run/middleware.ts'
import type { PreparedRun } from './run/prepared-run.ts'
import { checkResumeInput, flagContext, readRetraction, readRunInput } from './run/read-input.ts'
import type { RunHandle } from './run/run-handle.ts'
import type { AgentRun, RunInput, RunResult } from './run/run.ts'

/** An agent with a loop of its own, which can also take over runs of a process that died. */
export interface LocalAgent extends DrivableAgent {
  toolNames(): readonly string[]
  takeOver: NonNullable<DrivableAgent['takeOver']>
  /** Takes a run over and drives it to its end. Needs the option `journal`. Rejects as `Agent.resume` does. */
  resume(runId: string, input?: ResumeInput): Promise<ResumeResult>
}

/**
 * Creates an agent: a model, its tools, and how to recover. It holds no conversation; `run` does one.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`, `duplicate_tool`, with the option's path
 */
export function createAgent(options: AgentOptions): LocalAgent {
  const settings = readAgentOptions(options)
  const { journal, runtime, recovery } = settings
  const { clock } = runtime

  function prepare(input: RunInput): PreparedRun {
    const messages = readRunInput(input)
    const open = journal && ((handle: RunHandle) => journal.open(handle, { clock, input, messages }))
    return prepareRun(settings, input, { state: initialState(messages), from: fresh }, open)
  }

  const takeOver: LocalAgent['takeOver'] = async (runId, given = {}) => {
    if (journal === undefined) refuse('journal', 'must be a journal for runs to be resumed')
    checkResumeInput(given)
    const taken = await journal.takeOver(runId, clock, recovery.continuePrompt)
    if (taken.status !== 'taken') return taken
    const { input, rebuilt, open } = taken
    return { status: 'taken', prepared: prepareRun(settings, { ...given, ...input }, rebuilt, open) }
  }

  return {
    run: (input) => start(settings, prepare(input), input.runId ?? runtime.newId()),
    prepare,
    takeOver,
    durable: journal !== undefined,
    retraction: recovery.retraction,
    toolNames: () => [...settings.tools().keys()],
    async resume(runId, given) {
      const taken = await takeOver(runId, given)
      if (taken.status !== 'taken') return taken
      return { status: 'resumed', run: start(settings, taken.prepared, runId) }
    },
  }
}

function start({ runtime, onWarning }: AgentSettings, prepared: PreparedRun, runId: string): AgentRun {
  const { input, tail, shown, open } = prepared
  return createRun({
    runId,
    runtime,
    onWarning,
    tail,
    shown,
    async drive(handle) {
      handle.attach(input.callbacks, input.signal)
      if (open !== undefined) await handle.record(open)
      return prepared.drive(handle)
    },
    crashed: (error, handle) => prepared.crashed(handle, error),
  })
}

/** Prepares the loop at whatever point `rebuilt` is; a fresh run is at its beginning. */
function prepareRun(
  settings: AgentSettings,
  input: RunInput,
  rebuilt: RebuiltRun,
  open: PreparedRun['open'],
): PreparedRun {
  const { state, tail = 0, decision, legacy, shown = createShownText() } = rebuilt
  return {
    input,
    messages: state.given,
    tail,
    decision,
    legacy,
    shown,
    open,
    drive: (handle, given) => drive(settings, input, rebuilt, handle, given),
    crashed: (handle, error) => toResult(handle, state, { outcome: 'failed', error }),
  }
}

async function drive(
  settings: AgentSettings,
  input: RunInput,
  rebuilt: RebuiltRun,
  handle: RunHandle,
  given: RunDecision | undefined,
): Promise<RunResult> {
  const { state, decision: stored, from, missing = [], end } = rebuilt
  const decision = stored ?? given ?? (await takeDecision(settings, input, handle))
  const { sessionId } = input
  if (stored === undefined) handle.emit({ type: 'run.started', ...defined({ sessionId }), decision })
  for (const event of missing) handle.emit(event)
  // If this process dies as well, the next one has to know that it tried.
  if (missing.length > 0) await handle.flush()
  if (end !== undefined) return toResult(handle, state, end)
  const requested: unknown = input.request?.['model']
  const scope: RunScope = {
    runId: handle.runId,
    sessionId,
    decision,
    resumed: stored !== undefined,
    signal: handle.signal,
    model: typeof requested === 'string' ? requested : settings.model,
    observe: handle.observe,
  }
  const run: RunContext = {
    handle,
    settings,
    input,
    scope,
    retraction: readRetraction(input, settings.recovery.retraction),
    flags: input.flags ?? settings.flags,
    flagContext: flagContext(input.user),
    state,
  }
  return compose(settings.use, scope, {
    scope,
    layerOf: ({ run: around }) => around,
    clock: settings.runtime.clock,
    grace: settings.limits.middlewareGrace,
    report: handle.report,
    accept: (result, called): result is RunResult => called && isRunResult(result),
    core: async () => toResult(handle, state, await endOf(run, from)),
  })
}

/** Returns how the loop ended. A defect of ours ends it like any failure, with the history so far. */
async function endOf(run: RunContext, from: ResumePoint): Promise<LoopEnd> {
  try {
    const end = await withinLimit(run, 'runTime', () => runLoop(run, from))
    const lost: MillraceError | undefined = run.handle.lost()
    if (lost !== undefined) return { outcome: 'failed', error: lost }
    const { overdue } = run.state
    return overdue !== undefined && end.outcome === 'interrupted' ? { outcome: 'limit', error: overdue } : end
  } catch (cause) {
    return { outcome: 'failed', error: asMillraceError(cause) }
  }
}

function isRunResult(given: unknown): given is RunResult {
  return isRecord(given) && 'outcome' in given && 'messages' in given
}

async function takeDecision(settings: AgentSettings, input: RunInput, handle: RunHandle): Promise<RunDecision> {
  if (input.decision !== undefined) return input.decision
  const { mode = 'auto' } = input
  return decide({
    flags: input.flags ?? settings.flags,
    context: flagContext(input.user),
    clock: settings.runtime.clock,
    deadline: settings.limits.flagDeadline,
    toolNames: [...settings.tools().keys()],
    explicit: mode === 'auto' ? undefined : mode === 'stream',
    otherwise: 'buffered',
    withoutFlags: true,
    report: handle.report,
  })
}
