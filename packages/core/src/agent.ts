import { defined } from './kit/defined.ts'
import { createRun, type RunHandle } from './run/create-run.ts'
import { decide } from './run/decision.ts'
import { asMillraceError } from './kit/errors.ts'
import { runLoop } from './loop/loop.ts'
import { isRecord } from './kit/guards.ts'
import type { RunScope } from './run/middleware.ts'
import { runOnion } from './run/compose.ts'
import { type AgentOptions, type AgentSettings, readAgentOptions } from './loop/agent-options.ts'
import { refuse } from './kit/checks.ts'
import { checkResumeInput, flagContext, readRetraction, readRunInput } from './run/read-input.ts'
import type { RunDecision } from './protocol/run-decision.ts'
import { type Journal, noJournal } from './run/journal.ts'
import type { RebuiltRun } from './loop/rebuilt-run.ts'
import type { Agent, AgentRun, ResumeInput, ResumeResult, RunInput, RunResult } from './run/run.ts'
import { type LoopEnd, type RunContext, toResult } from './loop/run-context.ts'
import { initialState } from './loop/run-state.ts'

/** An agent with a loop of its own, which can also take over runs of a process that died. */
export interface LocalAgent extends Agent {
  toolNames(): readonly string[]
  /**
   * Takes over a stored run whose lease has expired, and drives it to its end. Settled calls are reused; a call that had
   * started is reconciled, runs again if its tool may, or is reported as unknown. Needs the option `journal`.
   *
   * Rejects with `invalid_option` or `unknown_option` for an input that is wrong or without a journal, before the run is
   * taken, and where the store fails.
   */
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
  return {
    run(input) {
      const messages = readRunInput(input)
      const runId = input.runId ?? runtime.newId()
      const fresh = { state: initialState(messages), tail: 0, decision: undefined, pending: undefined }
      return startRun(settings, input, runId, fresh, async (handle) =>
        journal === undefined ? noJournal : journal.open(handle, { clock, input, messages }),
      )
    },
    retraction: recovery.retraction,
    toolNames: () => [...settings.tools().keys()],
    async resume(runId, given = {}) {
      if (journal === undefined) refuse('journal', 'must be a journal for runs to be resumed')
      checkResumeInput(given)
      const taken = await journal.takeOver(runId, clock, recovery.continuePrompt)
      if (taken.status !== 'taken') return taken
      const { input, rebuilt, open } = taken
      const run = startRun(settings, { ...given, ...input }, runId, rebuilt, async (handle) => open(handle))
      return { status: 'resumed', run }
    },
  }
}

/** Starts the loop at whatever point `rebuilt` is; a fresh run is at its beginning. */
function startRun(
  settings: AgentSettings,
  input: RunInput,
  runId: string,
  rebuilt: RebuiltRun,
  openJournal: (handle: RunHandle) => Promise<Journal>,
): AgentRun {
  const { runtime, onWarning } = settings
  const { state, tail } = rebuilt
  const drains: Promise<void>[] = []
  let journal = noJournal
  return createRun({
    runId,
    runtime,
    onWarning,
    tail,
    async drive(handle) {
      handle.attach(input.callbacks, input.signal)
      journal = await openJournal(handle)
      return drive(settings, input, rebuilt, handle, journal, drains)
    },
    crashed: (error) => toResult(runId, state, { outcome: 'failed', error }),
    async finish(last) {
      await journal.finish(last)
      await Promise.all(drains)
    },
  })
}

async function drive(
  settings: AgentSettings,
  input: RunInput,
  { state, decision: stored, pending }: RebuiltRun,
  handle: RunHandle,
  journal: Journal,
  drains: Promise<void>[],
): Promise<RunResult> {
  const decision = stored ?? (await takeDecision(settings, input, handle))
  const { sessionId } = input
  if (stored === undefined) {
    handle.emit({ type: 'run.started', ...defined({ sessionId }), decision })
  }
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
    journal,
    drains,
    pending,
  }
  return runOnion(settings.use, scope, {
    scope,
    layerOf: ({ run: around }) => around,
    clock: settings.runtime.clock,
    grace: settings.limits.middlewareGrace,
    report: handle.report,
    accept: (given, called): given is RunResult => called && isRunResult(given),
    core: async () => toResult(handle.runId, state, await endOf(run)),
  })
}

/** How the loop ended; a defect of ours ends it like any failure, with what history there is. */
async function endOf(run: RunContext): Promise<LoopEnd> {
  try {
    const end = await runLoop(run)
    const lost = run.journal.lost()
    return lost === undefined ? end : { outcome: 'failed', error: lost }
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
