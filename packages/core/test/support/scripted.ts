import Anthropic from '@anthropic-ai/sdk'
import { type ClaudeOptions, type ScriptedClaude, startClaude } from '@millrace/testing'
import { onTestFinished } from 'vitest'
import {
  type LocalAgent,
  type AgentEvent,
  type AgentEventType,
  type AgentOptions,
  type AgentRun,
  createAgent,
  type InputMessage,
} from '../../src/index.ts'

export const request: { readonly model: string; readonly max_tokens: number } = {
  model: 'claude-opus-5-5',
  max_tokens: 1_000,
}

export const question: readonly InputMessage[] = [{ role: 'user', content: 'What is new?' }]

/** A scripted server that is closed when the test ends. */
export async function claudeFor(
  script: ClaudeOptions['script'],
  options: Omit<ClaudeOptions, 'script'> = {},
): Promise<ScriptedClaude> {
  const claude = await startClaude({ ...options, script })
  onTestFinished(() => claude.close())
  return claude
}

/** The real SDK against that server. */
export function clientOf(claude: Pick<ScriptedClaude, 'url'>): Anthropic {
  return new Anthropic({ apiKey: 'sk-test', baseURL: claude.url, maxRetries: 0 })
}

/** An agent against that server, which retries at once. */
export function agentOn(claude: Pick<ScriptedClaude, 'url'>, options: Partial<AgentOptions> = {}): LocalAgent {
  const { recovery, ...rest } = options
  return createAgent({ client: clientOf(claude), request, ...rest, recovery: { backoff: 0, ...recovery } })
}

export async function eventsOf(run: AgentRun): Promise<AgentEvent[]> {
  const events: AgentEvent[] = []
  for await (const event of run) events.push(event)
  return events
}

/** The events of one type, with that type. */
export function only<Type extends AgentEventType>(
  events: readonly AgentEvent[],
  type: Type,
): Extract<AgentEvent, { type: Type }>[] {
  return events.filter((event): event is Extract<AgentEvent, { type: Type }> => event.type === type)
}
