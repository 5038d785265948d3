import type { AgentEvent } from '@millrace/core'
import { type Pace, startClaude } from '@millrace/testing'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openFolder } from '../folder/folder.ts'
import { createRunPrinter } from '../terminal/run-printer.ts'
import type { Screen } from '../terminal/screen.ts'
import { createDemoFlag, createDemoLoop } from './demo-loop.ts'
import { cuts, demoModel, question } from './demo-model.ts'
import { createDemoTools } from './demo-tools.ts'
import { runScene, type SceneReport, type Stage } from './run-scene.ts'
import { scenes } from './scenes.ts'
import { summaryTable } from './summary.ts'

export interface DemoOptions {
  readonly screen: Screen
  /** The folder that the tool surveys. */
  readonly folder: string
  readonly signal: AbortSignal
  /** How fast the scripted model speaks. Default: 70 tokens a second. */
  readonly pace?: Pace
  /** Milliseconds before the first retry. Default: the agent's own. */
  readonly backoff?: number
}

/** Runs every scene and returns what was not as expected, a sentence each. Rejects when it cannot run to its end. */
export async function runDemo(options: DemoOptions): Promise<readonly string[]> {
  const { screen, signal, pace = { tokensPerSecond: 70 }, backoff } = options
  const folder = await openFolder(options.folder)
  const home = await mkdtemp(join(tmpdir(), 'millrace-demo-'))
  const claude = await startClaude({ script: demoModel, pace })
  try {
    screen.line('Millrace: an agent loop that streams, and recovers without repeating a word or a tool call.', 'strong')
    screen.line(`A scripted Claude answers on ${claude.url}, over real HTTP. Its tool surveys ${folder.root}.`, 'dim')
    const tools = createDemoTools(folder, join(home, 'journal.txt'))
    const flag = createDemoFlag()
    let listener: (event: AgentEvent) => void = () => {}
    const loop = createDemoLoop({
      baseURL: claude.url,
      tools,
      flags: flag,
      backoff,
      onEvent: (event) => listener(event),
    })
    const listen = (next: typeof listener): void => {
      listener = next
    }
    return await playScenes({ claude, loop, flag, tools, listen, signal }, screen)
  } finally {
    screen.rest()
    await claude.close()
    await rm(home, { recursive: true, force: true })
  }
}

async function playScenes(stage: Stage, screen: Screen): Promise<readonly string[]> {
  const printer = createRunPrinter(screen)
  const reports: SceneReport[] = []
  for (const [index, scene] of scenes.entries()) {
    screen.line('')
    screen.line(`${index + 1}. ${scene.title}`, 'strong')
    screen.line(scene.story, 'dim')
    screen.line(`You: ${question}`)
    screen.line('')
    const report = await runScene(scene, stage, (event) => printer.see(event))
    stage.signal.throwIfAborted()
    reports.push(report)
    for (const line of describeCuts(report)) screen.line(line, 'notice')
    screen.line(describeCheck(report), report.problems.length === 0 ? 'good' : 'bad')
  }
  screen.line('')
  screen.line('What happened', 'strong')
  for (const line of summaryTable(reports)) screen.line(line)
  if (new Set(reports.map(({ textChecksum }) => textChecksum)).size === 1) {
    screen.line('The three answers are equal, character by character.', 'good')
  }
  return reports.flatMap(({ problems }, index) => problems.map((problem) => `run ${index + 1}: ${problem}`))
}

/** Says how the server cut the streams of a run, from the server's own records. */
function describeCuts({ requests }: SceneReport): string[] {
  const hit = requests.flatMap(({ turn, faults, bytesSent }, index) =>
    faults.map((fault) => ({ turn, fault, bytesSent, request: index + 1 })),
  )
  return hit.map(
    ({ turn, fault, bytesSent, request }, index) =>
      `  Request ${request} (turn ${turn}): cut ${cuts[index]?.where ?? ''}, after ${bytesSent} bytes (${fault}).`,
  )
}

function describeCheck({ check, surveys, notes, problems }: SceneReport): string {
  if (problems.length > 0) return `✗ ${problems.join('; ')}`
  const blocks = `length and checksum of ${check.verified} blocks verified`
  return `✓ Shown text and history are equal (${blocks}). Tools run: survey_folder ${surveys}, write_note ${notes}.`
}
