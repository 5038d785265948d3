import { type AgentEvent, checksum } from '@millrace/core'
import type { RequestRecord, ScriptedClaude } from '@millrace/testing'
import type { DemoFlag } from './demo-loop.ts'
import type { DemoTools } from './demo-tools.ts'
import type { LoopArgs, LoopResult } from './legacy-loop.ts'
import { question } from './demo-model.ts'
import { createRunCheck, type RunCheck } from './run-check.ts'
import type { Scene } from './scenes.ts'

/** What a scene is run with. */
export interface Stage {
  readonly claude: ScriptedClaude
  readonly loop: (args: LoopArgs) => Promise<LoopResult>
  readonly flag: DemoFlag
  readonly tools: DemoTools
  /** Sets the function that is called with each event of the run. */
  readonly listen: (listener: (event: AgentEvent) => void) => void
  readonly signal: AbortSignal
}

/** The result of a scene. */
export interface SceneReport {
  readonly scene: Scene
  readonly check: RunCheck
  readonly requests: readonly RequestRecord[]
  readonly surveys: number
  readonly notes: number
  /** The text of the answer. */
  readonly text: string
  readonly textChecksum: string
  readonly problems: readonly string[]
}

/** Runs one scene: calls the wrapped loop as its callers do, and compares what was shown with the result. */
export async function runScene(scene: Scene, stage: Stage, see: (event: AgentEvent) => void): Promise<SceneReport> {
  const { claude, loop, flag, tools, listen, signal } = stage
  const check = createRunCheck()
  listen((event) => {
    check.see(event)
    see(event)
  })
  claude.setFaults(scene.faults)
  flag.set(scene.streaming)
  const before = { requests: claude.requests.length, surveys: tools.surveys(), notes: (await tools.notes()).length }

  const { text, messages } = await loop({ userInput: question, conversationHistory: [], signal })

  const report = {
    scene,
    check,
    requests: claude.requests.slice(before.requests),
    surveys: tools.surveys() - before.surveys,
    notes: (await tools.notes()).length - before.notes,
    text,
    textChecksum: checksum(text),
  }
  return { ...report, problems: [...check.problems, ...findProblems(report, messages)] }
}

function findProblems(report: Omit<SceneReport, 'problems'>, messages: LoopResult['messages']): string[] {
  const { scene, check, requests, surveys, notes, text } = report
  const problems: string[] = []
  const expect = (what: string, found: unknown, wanted: unknown): void => {
    const [a, b] = [JSON.stringify(found), JSON.stringify(wanted)]
    if (a !== b) problems.push(`${what}: ${a}, expected ${b}`)
  }
  expect('outcome', check.outcome, 'completed')
  expect('arm', check.decision?.arm, scene.streaming ? 'streaming' : 'control')
  expect(
    'requests',
    requests.map(({ stream }) => (stream ? 'stream' : 'buffered')),
    scene.attempts,
  )
  expect(
    'fallbacks',
    check.fallbacks.map(({ to }) => to),
    scene.rungs,
  )
  expect('retractions', check.retractions, scene.retractions)
  expect('surveys that were run', surveys, 1)
  expect('notes in the journal', notes, 1)
  if (scene.streaming) expect('tool calls', check.calls, ['survey_folder', 'write_note'])
  // The legacy loop returns its answer as one text, and shows nothing of the turns before it.
  expect('text that was shown', check.texts(), scene.streaming ? textsOf(messages) : [text])
  expect('text of the answer', text, textsOf(messages).at(-1))
  return problems
}

/** The text blocks of the assistant's messages, in order. */
function textsOf(messages: LoopResult['messages']): string[] {
  return messages
    .filter(({ role }) => role === 'assistant')
    .flatMap(({ content }) => (typeof content === 'string' ? [{ type: 'text' as const, text: content }] : content))
    .flatMap((block) => (block.type === 'text' ? [block.text] : []))
}
