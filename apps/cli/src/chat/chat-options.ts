import { parseArgs } from 'node:util'

/** What the command line asks for. */
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

  folder         what its tools may read (default: the present one)
  --model <id>   the model to talk to (default: ${defaultModel})
  --no-stream    ask for whole answers instead of streams
  --no-thinking  do not ask for thinking, which some models do not have
  --json         print the events of each run, one JSON object a line, and nothing else
  --help         this text

With ANTHROPIC_API_KEY or ANTHROPIC_BASE_URL set it talks to that API, otherwise to a scripted server on this machine,
which needs nothing. Ctrl-C interrupts an answer and keeps what was said; twice, it leaves. So do Ctrl-D and /exit.`

/** Reads the arguments; throws with a readable message where one is wrong. */
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
  if (more.length > 0) throw new Error(`One folder at most, not ${positionals.length}: ${positionals.join(' ')}`)
  if (values.model.trim() === '') throw new Error('--model needs the id of a model')
  return {
    model: values.model,
    folder,
    stream: !values['no-stream'],
    thinking: !values['no-thinking'],
    json: values.json,
    help: values.help,
  }
}
