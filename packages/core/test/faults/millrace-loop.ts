import Anthropic from '@anthropic-ai/sdk'
import type { Job, LoopReport, LoopUnderTest } from '@millrace/testing'
import {
  adaptLoop,
  type Agent,
  type AgentCallbacks,
  clientError,
  createAgent,
  defineTool,
  type Message,
  type RunResult,
  type Tool,
} from '../../src/index.ts'
import { legacyLoop } from './legacy-loop.ts'
import { createScreen } from './shown-text.ts'

/** What a consumer does: takes events, which can be withdrawn, or shows text by callbacks, where it cannot. */
export type Consumer = 'events' | 'callbacks'

/** Millrace with default settings, as the grader sees it; with `job.useLegacy` around a loop that does not stream. */
export function millraceLoop(consumer: Consumer): LoopUnderTest {
  return async (job) => {
    const clientFacing: unknown[] = []
    let shownByCallbacks = ''
    const callbacks: AgentCallbacks = {
      onText: (text) => {
        shownByCallbacks += text
      },
      onError: (error, meta) => clientFacing.push(error, meta),
      onToolResult: (...args) => clientFacing.push(args),
    }
    const { run, result } = start(job, consumer === 'callbacks' ? callbacks : undefined)
    const screen = createScreen()
    for await (const event of run) {
      clientFacing.push(event)
      screen.take(event)
    }
    return report(await result, consumer === 'callbacks' ? shownByCallbacks : screen.text(), clientFacing)
  }
}

function report(result: RunResult, shown: string, clientFacing: readonly unknown[]): LoopReport {
  const { outcome, text, messages, error } = result
  const base = { outcome, shown, text, messages, clientFacing: [...clientFacing] }
  return error === undefined ? base : { ...base, error: clientError(error) }
}

function start(
  job: Job,
  callbacks: AgentCallbacks | undefined,
): { run: ReturnType<Agent['run']>; result: Promise<RunResult> } {
  const agent = createAgent({
    client: new Anthropic({ baseURL: job.baseURL, apiKey: job.apiKey }),
    request: { model: job.model, max_tokens: 1_024 },
    tools: job.tools.map(toTool),
    runtime: { clock: job.clock },
  })
  const input = {
    messages: [...job.messages],
    signal: job.signal,
    ...(callbacks !== undefined && { callbacks }),
  }
  if (!job.useLegacy) {
    const run = agent.run(input)
    return { run, result: run.result }
  }
  const adapted = adaptLoop({
    legacy: (messages: readonly Message[]) => legacyLoop(job, messages),
    agent,
    toInput: () => input,
    fromResult: (result) => ({ messages: result.messages, text: result.text }),
    useStreaming: () => true,
    handover: {
      toArgs: ({ messages }) => [messages],
      fromLegacy: ({ messages, text }, handed) => ({ messages: messages.slice(handed.messages.length), text }),
    },
    runtime: { clock: job.clock },
  })
  const run = adapted.run([...job.messages])
  return { run, result: run.result }
}

function toTool({ name, description, inputSchema, readOnly, run }: Job['tools'][number]): Tool {
  return defineTool({
    name,
    description,
    inputSchema: { jsonSchema: inputSchema },
    readOnly,
    run: (input, { signal, toolUseId }) => run(input, { signal, toolUseId }),
  })
}
