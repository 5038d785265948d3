import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { resolve } from 'node:path'
import { runDemo } from './demo/run-demo.ts'
import { openScreen } from './terminal/open-screen.ts'
import { untilInterrupted } from './terminal/interrupted.ts'

const help = `Runs a legacy agent loop, wrapped by Millrace, against a scripted Claude server on this machine.

Usage: pnpm demo [options] [folder]

  folder   the folder that its tool surveys (default: the packages of this repository)
  --fast   the model answers without pauses
  --help   prints this text

NO_COLOR=1 gives plain output, as a pipe does.`

process.exitCode = await main()

async function main(): Promise<number> {
  let parsed
  try {
    parsed = parseArgs({
      allowPositionals: true,
      options: { fast: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
    })
  } catch (error) {
    console.error(`${error instanceof Error ? error.message : String(error)}\n\n${help}`)
    return 2
  }
  const { values, positionals } = parsed
  if (values.help) {
    console.log(help)
    return 0
  }
  const [named = fileURLToPath(new URL('../../../packages', import.meta.url))] = positionals
  const screen = openScreen(process.stdout, process.env)
  const interrupted = untilInterrupted(process)
  try {
    const problems = await runDemo({
      screen,
      folder: resolve(process.env['INIT_CWD'] ?? '.', named),
      signal: interrupted.signal,
      ...(values.fast && { pace: 'fast' as const, backoff: 10 }),
    })
    for (const problem of problems) console.error(problem)
    screen.line(problems.length === 0 ? 'demo ok' : 'demo failed')
    screen.rest()
    return problems.length === 0 ? 0 : 1
  } catch (error) {
    if (interrupted.signal.aborted) return 130
    console.error(`demo failed: ${error instanceof Error ? error.message : String(error)}`)
    return 1
  } finally {
    interrupted.dispose()
  }
}
