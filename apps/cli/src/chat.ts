import { resolve } from 'node:path'
import { chatHelp, type ChatOptions, readChatOptions } from './chat/chat-options.ts'
import { connect } from './chat/connection.ts'
import { linePrompter, terminalPrompter } from './chat/prompter.ts'
import { runChat } from './chat/run-chat.ts'
import { openFolder } from './folder/folder.ts'
import { drained } from './terminal/drained.ts'
import { openScreen } from './terminal/open-screen.ts'

// A program such as `head` may close the output before its end.
process.stdout.on('error', () => process.exit(0))
// With `--json`, what the screen shows goes here: the events still have a reader when this one has left.
process.stderr.on('error', () => {})
process.exitCode = await main()
// A user who leaves with Ctrl-C does not wait for the current tool or answer.
if (process.exitCode === 130) process.exit()

async function main(): Promise<number> {
  let options: ChatOptions
  try {
    options = readChatOptions(process.argv.slice(2))
  } catch (error) {
    console.error(`${messageOf(error)}\n\n${chatHelp}`)
    return 2
  }
  if (options.help) {
    console.log(chatHelp)
    return 0
  }
  const { stdin, stdout, stderr } = process
  const screen = openScreen(options.json ? stderr : stdout, process.env)
  const isTerminal = stdin.isTTY && stdout.isTTY
  try {
    return await runChat({
      options,
      // First, since nothing that was started has to be stopped when this fails.
      folder: await openFolder(resolve(process.env['INIT_CWD'] ?? '.', options.folder)),
      connection: await connect(process.env),
      prompter: isTerminal ? terminalPrompter(stdin, stdout) : linePrompter(stdin, (line) => screen.line(line)),
      screen,
      out: (line) => void stdout.write(`${line}\n`),
      ready: () => drained(stdout),
      onSignal(pressed) {
        process.on('SIGINT', pressed)
        return () => void process.off('SIGINT', pressed)
      },
    })
  } catch (error) {
    console.error(messageOf(error))
    return 1
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}
