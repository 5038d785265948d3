import { text, toolUse, type Turn } from '@millrace/testing'
import { deferred } from '@millrace/testing/async'
import {
  type AgentEvent,
  type AgentOptions,
  defineTool,
  type PlainToolOptions,
  type RunResult,
  type Tool,
} from '../../src/index.ts'
import { agentOn, claudeFor, eventsOf, question } from '../support/scripted.ts'

export const inputSchema: { readonly jsonSchema: { readonly type: 'object' } } = { jsonSchema: { type: 'object' } }
export type Plain = PlainToolOptions

export function toolOf(options: Partial<Plain> & Pick<Plain, 'run'>): Tool {
  return defineTool({ name: 'act', description: 'Acts', inputSchema, ...options })
}

/** A turn with these calls, and one that ends the run. */
export function calls(...ids: readonly string[]): readonly Turn[] {
  return [
    { content: [text('Let me act.'), ...ids.map((id) => toolUse('act', { id }, { id }))] },
    { content: [text('Done.')] },
  ]
}

export interface Run {
  readonly result: RunResult
  readonly events: readonly AgentEvent[]
  /** The `tool_result` blocks that the model was sent. */
  readonly told: readonly unknown[]
}

export async function runWith(
  tool: Tool | readonly Tool[],
  script: readonly Turn[] = calls('toolu_1'),
  options: Partial<AgentOptions> = {},
): Promise<Run> {
  const claude = await claudeFor(script)
  const agent = agentOn(claude, { tools: 'name' in tool ? [tool] : tool, ...options })
  const run = agent.run({ messages: question })
  const events = await eventsOf(run)
  const result = await run.result
  const content = result.newMessages[1]?.content
  return { result, events, told: Array.isArray(content) ? content : [] }
}

/** What is written in JavaScript may give anything. */
export function untyped(body: () => unknown): () => never {
  const holder: object = { body }
  return Reflect.get(holder, 'body')
}

export function fail(error: Error): never {
  throw error
}

/** Rejects with what is no error, as JavaScript may. */
export function rejectWith(reason: unknown): Promise<never> {
  const { promise, reject } = deferred<never>()
  reject(reason)
  return promise
}
