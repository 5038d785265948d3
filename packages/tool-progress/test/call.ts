import type { RunScope, ToolCall, ToolCallEnd, ToolProgress } from '@millrace/core'
import { type ManualClock, manualClock } from '@millrace/testing/async'
import { toolProgress, type ToolProgressOptions } from '../src/index.ts'

export interface Seen extends ToolProgress {
  /** Milliseconds since the call began. */
  readonly at: number
}

/** One call of a tool through the middleware, on a manual clock. */
export interface Harness {
  readonly clock: ManualClock
  readonly seen: readonly Seen[]
  readonly controller: AbortController
  /** Runs `tool` as the loop does, with what the middleware gives it. */
  readonly call: (tool: (report: (report: ToolProgress) => void, call: ToolCall) => unknown) => Promise<ToolCallEnd>
}

const scope: RunScope = {
  runId: 'run',
  sessionId: undefined,
  resumed: false,
  decision: { mode: 'stream', arm: 'streaming', reason: 'explicit', tools: {} },
  signal: new AbortController().signal,
  model: 'claude',
  observe: () => {},
}

export function harness(options: Omit<ToolProgressOptions, 'clock'> = {}, streams = true): Harness {
  const clock = manualClock()
  const startedAt = clock.now()
  const seen: Seen[] = []
  const controller = new AbortController()
  const { tool: middleware } = toolProgress({ ...options, clock })
  const call: ToolCall = {
    toolUseId: 'toolu_1',
    name: 'work',
    input: {},
    signal: controller.signal,
    idempotencyKey: 'key',
    progress: (report) => void seen.push({ ...report, at: clock.now() - startedAt }),
    streams,
    readOnly: false,
  }
  return {
    clock,
    seen,
    controller,
    async call(tool) {
      if (middleware === undefined) throw new Error('no tool middleware')
      return middleware(
        call,
        async (given) => {
          try {
            return { outcome: 'ok', result: String(await tool(given.progress, given)) }
          } catch (error) {
            return { outcome: 'error', result: 'failed', error }
          }
        },
        scope,
      )
    },
  }
}
