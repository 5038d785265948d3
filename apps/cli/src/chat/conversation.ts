import {
  type Agent,
  type AgentEvent,
  type AgentRun,
  isMillraceError,
  type Message,
  type RunInput,
  type RunResult,
} from '@millrace/core'

/** A conversation, and at most one run that adds to it. */
export interface Conversation {
  /** Asks, passes on every event, and keeps what was said, also when the run is interrupted. Never rejects. */
  ask(text: string, see: (event: AgentEvent) => Promise<void> | void): Promise<RunResult>
  /** Interrupts the current run. Returns false when there is none, or it was interrupted already. */
  interrupt(): boolean
  readonly messages: readonly Message[]
}

export function createConversation(agent: Agent, input: Pick<RunInput, 'mode' | 'retraction'>): Conversation {
  let messages: readonly Message[] = []
  let run: AgentRun | undefined
  let interrupted = false

  return {
    async ask(text, see) {
      interrupted = false
      run = agent.run({ ...input, messages: [...messages, { role: 'user', content: text }] })
      try {
        for await (const event of run) await see(event)
        const result = await run.result
        // A question whose only answer is an error is dropped, or it would be in history twice when asked again.
        if (result.outcome !== 'failed' || result.newMessages.length > 0) messages = result.messages
        return result
      } finally {
        run = undefined
      }
    },
    interrupt() {
      if (run === undefined || interrupted) return false
      interrupted = true
      run.interrupt('user')
      return true
    },
    get messages() {
      return messages
    },
  }
}

/** Returns what the user may do about the error of a run; undefined if there is nothing. */
export function adviceFor(error: unknown): string | undefined {
  if (!isMillraceError(error)) return undefined
  switch (error.code) {
    case 'authentication':
    case 'permission':
      return 'Check ANTHROPIC_API_KEY.'
    case 'billing':
      return 'Check the billing of the account that ANTHROPIC_API_KEY belongs to.'
    case 'not_found':
      return 'Choose another model with --model.'
    case 'bad_request':
      return 'The model may not support adaptive thinking: try --no-thinking.'
    case 'connection_failed':
    case 'connect_timeout':
      return 'Check ANTHROPIC_BASE_URL and the network.'
    default:
      return undefined
  }
}
