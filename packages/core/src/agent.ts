import { createRun, type RunHandle } from './create-run.ts'
import { decide } from './decision.ts'
import { isMillraceError, MillraceError } from './errors.ts'
import { type Journal, noJournal, openJournal, writeJournal } from './journal.ts'
import { runLoop } from './loop.ts'
import type { RunScope } from './middleware.ts'
import { type Layer, runOnion } from './onion.ts'
import { type AgentOptions, type AgentSettings, readAgentOptions } from './options/agent-options.ts'
import { refuse } from './options/check.ts'
import { flagContext, readRetraction, readRunInput } from './options/run-input.ts'
import type { RunDecision } from './ports/flag-client.ts'
import { leaseTime } from './recorder.ts'
import { readStored, rebuild, type RebuiltRun } from './resume.ts'
import type { Agent, AgentRun, ResumeInput, ResumeResult, RunInput, RunResult } from './run.ts'
import { initialState, type LoopEnd, type RunContext, toResult } from './run-context.ts'

/** An agent with a loop of its own, which can also take over runs of a process that died. */
export interface LocalAgent extends Agent {
  toolNames(): readonly string[]
  /**
   * Takes over a stored run whose lease has expired, and drives it to its end. Settled calls are reused; a call that had
   * started is reconciled, runs again if its tool may, or is reported as unknown. Needs the option `store`.
   *
   * @throws MillraceError `invalid_option` without a store; rejects where the store fails
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
  return {
    run(input) {
      const messages = readRunInput(input)
      const runId = input.runId ?? settings.runtime.newId()
      const rebuilt = { state: initialState(messages), tail: 0, decision: undefined, pending: undefined }
      return startRun(settings, { ...input, messages }, runId, rebuilt, async (handle) => {
        const { store, runtime } = settings
        return store === undefined ? noJournal : openJournal(handle, { store, clock: runtime.clock, input, messages })
      })
    },
    toolNames: () => [...settings.tools().keys()],
    resume: (runId, input) => resumeRun(settings, runId, input),
  }
}

async function resumeRun(settings: AgentSettings, runId: string, input: ResumeInput = {}): Promise<ResumeResult> {
  const { store, recovery, runtime } = settings
  if (store === undefined) refuse('store', 'must be a RunStore for runs to be resumed')
  const lease = await store.acquire(runId, leaseTime)
  if (lease.status !== 'acquired') return lease
  const snapshot = await store.snapshot(runId)
  if (snapshot === undefined) return { status: 'not_found' }
  const { record } = snapshot
  const rebuilt = rebuild(record, await readStored(store, runId, lease.tail), recovery.continuePrompt)
  const { sessionId, owner, request, messages } = record
  const stored = {
    messages,
    ...(sessionId !== undefined && { sessionId }),
    ...(owner !== undefined && { owner }),
    ...(request !== undefined && { request }),
  }
  const run = startRun(settings, { ...input, ...stored }, runId, rebuilt, async (handle) =>
    writeJournal(handle, store, runtime.clock, lease),
  )
  return { status: 'resumed', run }
}

/** Starts the loop at whatever point `rebuilt` is; a fresh run is at its beginning. */
function startRun(
  settings: AgentSettings,
  input: RunInput,
  runId: string,
  rebuilt: RebuiltRun,
  openStore: (handle: RunHandle) => Promise<Journal>,
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
      journal = await openStore(handle)
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
    handle.emit({ type: 'run.started', ...(sessionId !== undefined && { sessionId }), decision })
  }
  const requested: unknown = input.request?.['model']
  const scope: RunScope = {
    runId: handle.runId,
    sessionId,
    decision,
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
  const layers = settings.use.flatMap(({ name, run: around }): Layer<RunScope, RunResult>[] =>
    around === undefined ? [] : [{ name, around: (given, next) => around(given, () => next(given)) }],
  )
  return runOnion(layers, scope, {
    clock: settings.runtime.clock,
    grace: settings.limits.middlewareGrace,
    bothSides: true,
    report: handle.report,
    accept: (given, called): given is RunResult => called && isRunResult(given),
    core: async () => toResult(handle.runId, state, await endOf(run)),
  })
}

/** How the loop ended; a defect of ours ends it like any failure, with what history there is. */
async function endOf(run: RunContext): Promise<LoopEnd> {
  try {
    const end = await runLoop(run)
    const { lost } = run.journal
    return lost === undefined ? end : { outcome: 'failed', error: lost }
  } catch (cause) {
    const error = isMillraceError(cause) ? cause : new MillraceError('internal', 'Millrace failed inside', { cause })
    return { outcome: 'failed', error }
  }
}

function isRunResult(given: unknown): given is RunResult {
  return typeof given === 'object' && given !== null && 'outcome' in given && 'messages' in given
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
