import { type ClaudeOptions, type ScriptedClaude, startClaude } from '@millrace/testing'
import { onTestFinished } from 'vitest'
import {
  type Cassette,
  createRecorder,
  formatCassette,
  parseCassette,
  type ParityError,
  type RecorderOptions,
  recordingFetch,
} from '../../src/index.ts'
import { type LegacyLoop, runLegacyLoop } from './legacy-loops.ts'

/** A recording, as it would stand in its files. */
export interface Recorded {
  readonly cassettes: readonly Cassette[]
  readonly problems: readonly ParityError[]
}

/** A scripted server that is closed when the test ends. */
export async function claudeFor(
  script: ClaudeOptions['script'],
  options: Omit<ClaudeOptions, 'script'> = {},
): Promise<ScriptedClaude> {
  const claude = await startClaude({ ...options, script })
  onTestFinished(() => claude.close())
  return claude
}

/** Keeps the cassettes in memory, each the last one of its id, read again as from a file. */
export function memorySink(): RecorderOptions['sink'] & {
  readonly cassettes: () => Cassette[]
  texts: () => string[]
} {
  const texts = new Map<string, string>()
  return {
    write(cassette) {
      texts.set(cassette.id, formatCassette(cassette))
      return Promise.resolve()
    },
    cassettes: () => [...texts.values()].map(parseCassette),
    texts: () => [...texts.values()],
  }
}

/** Lets loops run while they are recorded. What they reject with is theirs. */
export async function recordWith(
  run: (fetch: ReturnType<typeof recordingFetch>) => Promise<unknown>,
  options: Omit<RecorderOptions, 'sink'> = {},
): Promise<Recorded> {
  const sink = memorySink()
  const problems: ParityError[] = []
  const recorder = createRecorder({
    recordingId: 'run',
    onProblem: (problem) => problems.push(problem),
    ...options,
    sink,
  })
  await run(recordingFetch({ recorder })).catch(() => undefined)
  await recorder.close()
  return { cassettes: sink.cassettes(), problems }
}

/** Records one legacy loop against a script. */
export async function recordLoop(
  script: ClaudeOptions['script'],
  loop: Omit<LegacyLoop, 'baseURL' | 'fetch'> & { readonly options?: Omit<ClaudeOptions, 'script'> } = {},
  options: Omit<RecorderOptions, 'sink'> = {},
): Promise<Cassette> {
  const { options: server, ...rest } = loop
  await using claude = await startClaude({ ...server, script })
  const { cassettes } = await recordWith((fetch) => runLegacyLoop({ baseURL: claude.url, fetch, ...rest }), options)
  const [cassette] = cassettes
  if (cassette === undefined || cassettes.length > 1) throw new Error(`recorded ${cassettes.length} cassettes`)
  return cassette
}
