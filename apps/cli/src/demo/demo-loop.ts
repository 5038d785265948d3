import Anthropic from '@anthropic-ai/sdk'
import { adaptLoop, type AdaptedLoop, type AgentEvent, createAgent, type FlagClient, flagKeys } from '@millrace/core'
import { chatLoopPreset } from '@millrace/core/presets'
import { toolProgress } from '@millrace/tool-progress'
import type { DemoTools } from './demo-tools.ts'
import { createLegacyLoop, type LoopArgs, type LoopResult } from './legacy-loop.ts'

/** A flag that the demo switches. Every other flag keeps its default. */
export interface DemoFlag extends FlagClient {
  set(on: boolean): void
}

export function createDemoFlag(): DemoFlag {
  let streaming = false
  return {
    getBooleanDetails: (key, fallback) => ({ value: key === flagKeys.streaming ? streaming : fallback }),
    set(on) {
      streaming = on
    },
  }
}

export interface DemoLoopOptions {
  readonly baseURL: string
  readonly tools: DemoTools
  readonly flags: FlagClient
  readonly onEvent: (event: AgentEvent) => void
  /** Milliseconds before the first retry. Default: the agent's own. */
  readonly backoff?: number | undefined
}

/** Wraps a legacy loop. Its callers call it as before. */
export function createDemoLoop(options: DemoLoopOptions): AdaptedLoop<unknown, [LoopArgs], LoopResult> {
  const { baseURL, tools, flags, onEvent, backoff } = options
  const client = new Anthropic({ baseURL, apiKey: 'not-needed-by-the-scripted-server' })
  const model = 'claude-scripted'
  const executeAgentLoop = createLegacyLoop({ client, model, tools: tools.loopTools })
  const agent = createAgent({
    client,
    request: { model, max_tokens: 4096 },
    tools: tools.agentTools,
    use: [toolProgress()],
    recovery: backoff === undefined ? {} : { backoff },
  })
  return adaptLoop({
    legacy: executeAgentLoop,
    agent,
    ...chatLoopPreset<LoopArgs, LoopResult>({
      fromResult: ({ text, messages }) => ({ text, messages }),
      textOf: ({ text }) => text,
      historyOf: ({ messages }) => messages,
    }),
    flags,
    onEvent,
  })
}
