import { parseArgs } from 'node:util'

/** The arguments of the command line. */
export interface ChatOptions {
  readonly model: string
  readonly folder: string
  readonly stream: boolean
  readonly thinking: boolean
  readonly json: boolean
  readonly help: boolean
}

export const defaultModel: string = 'claude-sonnet-5-5'

export const chatHelp: string = `Chat with an agent that can look into one folder.

Usage: pnpm chat [options] [folder]

  folder         the folder that its tools may read (default: the current one)
  --model <id>   the model to talk to (default: ${defaultModel})
  --no-stream    ask for whole answers instead of streams
  --no-thinking  do not ask for thinking, which some models do not support
  --json         print only the events of each run, one JSON object a line
  --help         print this text

With ANTHROPIC_API_KEY or ANTHROPIC_BASE_URL set it talks to that API, otherwise to a scripted server on this machine.
Ctrl-C interrupts an answer and keeps what was said. Ctrl-C twice, Ctrl-D or /exit ends the chat.`

/** Reads the arguments. Throws an error for the user when one is wrong. */
export function readChatOptions(args: readonly string[]): ChatOptions {
  const { values, positionals } = parseArgs({
    args: [...args],
    allowPositionals: true,
    options: {
      model: { type: 'string', default: defaultModel },
      'no-stream': { type: 'boolean', default: false },
      'no-thinking': { type: 'boolean', default: false },
      json: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  })
  const [folder = '.', ...more] = positionals
  if (more.length > 0)
    throw new Error(`expected at most one folder, got ${positionals.length}: "${positionals.join('", "')}"`)
  if (values.model.trim() === '') throw new Error('--model must be the id of a model, such as "' + defaultModel + '"')
  return {
    model: values.model,
    folder,
    stream: !values['no-stream'],
    thinking: !values['no-thinking'],
    json: values.json,
    help: values.help,
  }
}
