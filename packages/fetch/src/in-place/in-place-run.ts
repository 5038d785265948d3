import {
  type ContentBlock,
  type FlagClient,
  type FlagContext,
  type Message,
  MillraceError,
  type RunDecision,
  type RunHandle,
  type RunResult,
  type Runtime,
  type ToolProgress,
  type Usage,
} from '@millrace/core'
import { isKilled } from '@millrace/core/drive'
import { addUsage, assistantMessage, noUsage } from '@millrace/core/recovery'
import type { Fetch, MessagesRequest } from '../request/messages-request.ts'
import type { FetchSettings } from '../request/options.ts'
import { repairMessages } from '../request/repair-request.ts'
import { answerWhole } from '../send/answer-whole.ts'
import { recoverStream } from '../send/recover-stream.ts'
import { createOpenCalls, type OpenCall } from './open-calls.ts'
import type { RunScope } from './run-scope.ts'
import { createTurnReporter } from './turn-reporter.ts'
import { watchAnswer } from './watch-answer.ts'

export interface InPlaceRunOptions {
  readonly fetch: Fetch
  readonly handle: RunHandle
  readonly decision: RunDecision
  readonly flags: FlagClient | undefined
  readonly context: FlagContext
  readonly flagDeadline: number
  readonly runtime: Runtime
  readonly warn: (error: MillraceError) => void
}

/** A run of a loop in place: each request that the loop makes is a turn of it. */
export interface InPlaceRun {
  readonly scope: RunScope
  /** The loop has returned or thrown: no later request belongs to it. */
  end(): void
  result(fields: Pick<RunResult, 'outcome'> & Partial<Pick<RunResult, 'error'>>, text: string | undefined): RunResult
}

// oxlint-disable-next-line max-lines-per-function -- short functions over one run
export function createInPlaceRun(options: InPlaceRunOptions): InPlaceRun {
  const { fetch, handle, decision, flags, context, flagDeadline, runtime, warn } = options
  const calls = createOpenCalls(handle.emit, () => runtime.clock.now())
  let turns = 0
  let streams = decision.mode === 'stream'
  let isOver = false
  let given: readonly Message[] | undefined
  let messages: readonly Message[] = []
  let usage: Usage = noUsage
  let lastStopReason: string | null = null

  /** Whether the kill switch lets the run go on streaming. */
  async function mayStream(turn: number): Promise<boolean> {
    if (!streams || turn === 1) return streams
    const asked = { flags, context, clock: runtime.clock, deadline: flagDeadline, report: handle.report }
    if (!(await isKilled(asked)) || !streams) return streams
    streams = false
    handle.emit({ type: 'fallback', turn, from: 'stream', to: 'legacy', reason: 'killed', stage: 'before_output' })
    return false
  }

  async function send(settings: FetchSettings, asked: MessagesRequest): Promise<Response> {
    calls.take(asked.body.messages)
    const turn = ++turns
    given ??= asked.body.messages
    const own = await mayStream(turn)
    const request = own ? repairMessages(asked, settings) : asked
    const isStream = request.body['stream'] === true
    const signal = AbortSignal.any([handle.signal, ...(request.signal === undefined ? [] : [request.signal])])
    const reporter = createTurnReporter({
      turn,
      emit: handle.emit,
      batch: handle.batch,
      canRetract: !own || !isStream,
      onAnswer(content: readonly ContentBlock[], attempt, stopReason, used) {
        messages = content.length === 0 ? asked.body.messages : [...asked.body.messages, assistantMessage(content)]
        usage = addUsage(usage, used)
        lastStopReason = stopReason
        calls.begin(content, turn, attempt)
      },
    })
    if (!own) return watchAnswer(settings, request, reporter)
    const answer = isStream ? recoverStream : answerWhole
    return answer(settings, { ...request, signal }, reporter, handle.ready)
  }

  function progress(call: OpenCall | undefined, update: ToolProgress): void {
    const meant = call ?? calls.only
    if (meant === undefined || isOver) {
      warn(
        new MillraceError(
          'invalid_input',
          'reportProgress() cannot tell which call it is for; wrap the tool in observeTool()',
        ),
      )
      return
    }
    if (decision.tools[meant.name] === false || !streams) return
    const { id: toolUseId, name, turn, startedAt } = meant
    handle.emit({ type: 'tool.progress', ...update, toolUseId, name, turn, elapsedMs: runtime.clock.now() - startedAt })
  }

  return {
    scope: {
      fetch,
      send(settings, request) {
        if (!isOver) return send(settings, request)
        warn(
          new MillraceError(
            'invalid_input',
            `a request was made in the scope of run "${handle.runId}", which is over; its events belong to no run`,
          ),
        )
        return undefined
      },
      claim: (name, input) => calls.claim(name, input),
      progress,
    },
    end() {
      isOver = true
      calls.abandon()
    },
    result(fields, text) {
      const newMessages = messages.slice(given?.length ?? 0)
      return {
        runId: handle.runId,
        stopReason: lastStopReason,
        messages,
        newMessages,
        text: text ?? '',
        usage,
        turns,
        ...fields,
      }
    },
  }
}
