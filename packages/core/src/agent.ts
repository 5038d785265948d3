import { createRun, type RunHandle } from './create-run.ts'
import { decide } from './decision.ts'
import { isMillraceError, MillraceError } from './errors.ts'
import { runLoop } from './loop.ts'
import type { Message } from './messages.ts'
import type { RunScope } from './middleware.ts'
import { type Layer, runOnion } from './onion.ts'
import { type AgentOptions, type AgentSettings, readAgentOptions } from './options/agent-options.ts'
import { flagContext, readRetraction, readRunInput } from './options/run-input.ts'
import type { RunDecision } from './ports/flag-client.ts'
import type { Agent, AgentRun, RunInput, RunResult } from './run.ts'
import { initialState, type LoopEnd, type RunContext, type RunState, toResult } from './run-context.ts'

/**
 * Creates an agent: a model, its tools, and how to recover. It holds no conversation; `run` does one.
 *
 * @throws MillraceError `invalid_option`, `unknown_option`, `duplicate_tool`, with the option's path
 */
export function createAgent(options: AgentOptions): Agent {
  const settings = readAgentOptions(options)
  return {
    run: (input) => startRun(settings, input, readRunInput(input)),
    toolNames: () => [...settings.tools().keys()],
  }
}

function startRun(settings: AgentSettings, input: RunInput, messages: readonly Message[]): AgentRun {
  const { runtime, onWarning } = settings
  const state = initialState(messages)
  const runId = input.runId ?? runtime.newId()
  return createRun({
    runId,
    runtime,
    onWarning,
    drive(handle) {
      handle.attach(input.callbacks, input.signal)
      return drive(settings, input, state, handle)
    },
    crashed: (error) => toResult(runId, state, { outcome: 'failed', error }),
  })
}

async function drive(settings: AgentSettings, input: RunInput, state: RunState, handle: RunHandle): Promise<RunResult> {
  const decision = await takeDecision(settings, input, handle)
  const { sessionId } = input
  handle.emit({ type: 'run.started', ...(sessionId !== undefined && { sessionId }), decision })
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
    barrier: () => Promise.resolve(),
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
    return await runLoop(run)
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
