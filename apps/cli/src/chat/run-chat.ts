import { type Agent, type AgentEvent, createAgent, type RunResult } from '@millrace/core'
import { toolProgress } from '@millrace/tool-progress'
import type { Folder } from '../folder/folder.ts'
import { folderTools } from '../folder/folder-tools.ts'
import { createRunPrinter } from '../terminal/run-printer.ts'
import type { Screen } from '../terminal/screen.ts'
import type { ChatOptions } from './chat-options.ts'
import type { Connection } from './connection.ts'
import { adviceFor, type Conversation, createConversation } from './conversation.ts'
import type { Prompter } from './prompter.ts'

export interface ChatHost {
  readonly options: ChatOptions
  /** The folder that the tools may read. */
  readonly folder: Folder
  readonly connection: Connection
  readonly prompter: Prompter
  /** Shows everything except the events that `--json` asks for. */
  readonly screen: Screen
  /** Takes the lines of `--json`. */
  readonly out: (line: string) => void
  /** Resolves when the output can take more. */
  readonly ready: () => Promise<void>
  /** Calls `pressed` for each SIGINT, until the returned function is called. */
  readonly onSignal: (pressed: () => void) => () => void
}

/** Chats until the input ends or the user leaves. Returns the exit code: 1 if a run failed, 130 if the user left one. */
export async function runChat(host: ChatHost): Promise<number> {
  const { options, folder, connection, screen, prompter, onSignal } = host
  const agent = chatAgent(options, connection, folderTools(folder))
  const conversation = createConversation(agent, {
    mode: options.stream ? 'stream' : 'buffered',
    // Where shown text cannot be retracted, it is kept, and the model continues from there.
    retraction: screen.live || options.json ? 'retract' : 'continue',
  })
  screen.line(`You talk to ${connection.description}. Model: ${options.model}. Folder: ${folder.root}.`, 'dim')
  screen.line(`Tools: ${agent.toolNames?.().join(', ') ?? ''}. Ctrl-C interrupts, /exit leaves.`, 'dim')

  let leave: (code: number) => void = () => {}
  const left = new Promise<number>((resolve) => {
    leave = resolve
  })
  const pressed = (): void => {
    if (!conversation.interrupt()) leave(130)
  }
  const forget = onSignal(pressed)
  try {
    return await Promise.race([talk(host, conversation, pressed), left])
  } finally {
    forget()
    prompter.close()
    screen.rest()
    await connection.close()
  }

  async function talk(host: ChatHost, conversation: Conversation, pressed: () => void): Promise<number> {
    const see = createEventSink(host)
    let failed = false
    while (true) {
      screen.rest()
      const text = (await prompter.next())?.trim()
      if (text === undefined || text === '/exit') return failed ? 1 : 0
      if (text === '') continue
      const unwatch = prompter.watchInterrupts(pressed)
      try {
        const result = await conversation.ask(text, see)
        failed ||= result.outcome === 'failed'
        describeEnd(result, screen)
      } finally {
        unwatch()
      }
    }
  }
}

function chatAgent(options: ChatOptions, { client }: Connection, tools: ReturnType<typeof folderTools>): Agent {
  return createAgent({
    client,
    request: {
      model: options.model,
      max_tokens: 8_192,
      system: 'You talk to a person at a terminal, in plain text without markup. Your tools can look into one folder.',
      ...(options.thinking && { thinking: { type: 'adaptive' as const, display: 'summarized' as const } }),
    },
    tools,
    use: [toolProgress()],
  })
}

function createEventSink({ options, screen, out, ready }: ChatHost): (event: AgentEvent) => Promise<void> {
  const printer = createRunPrinter(screen)
  return async (event) => {
    if (options.json) out(JSON.stringify(event))
    else printer.see(event)
    // An output that is slow to drain slows the run down instead of filling memory.
    await ready()
  }
}

function describeEnd({ outcome, stopReason, error }: RunResult, screen: Screen): void {
  switch (outcome) {
    case 'completed':
      return
    case 'interrupted':
      screen.line('[interrupted; what was said is kept]', 'notice')
      return
    case 'limit':
      screen.line(`[the run stopped at a limit: ${stopReason ?? 'turns'}]`, 'notice')
      return
    case 'refused':
      screen.line('[the model declined to answer]', 'notice')
      return
    case 'failed': {
      const id = error?.requestId === undefined ? '' : ` (request ${error.requestId})`
      screen.line(`${error?.message ?? 'The run failed'}${id}. ${adviceFor(error) ?? ''}`.trim(), 'bad')
    }
  }
}
