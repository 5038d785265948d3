import { measures, type Measure, verifyPeer } from './measures.ts'
import { baseline, peers } from './peers/index.ts'
import { type RunningPeer, startServers } from './servers.ts'
import { type Result, summarize } from './statistics.ts'

export interface MeasureResult {
  readonly name: string
  readonly title: string
  readonly unit: string
  readonly rounds: number
  /** The baseline first. */
  readonly results: readonly Result[]
}

export interface BenchOptions {
  /** Default: all. */
  readonly measures?: readonly string[]
  /** Peers beside the baseline. Default: all. */
  readonly peers?: readonly string[]
  /** Default: what each measure needs. */
  readonly rounds?: number
  /** Told of each step in a few words. */
  readonly onProgress?: (step: string) => void
}

/**
 * Runs every measure on every peer. In each round the peers take turns, so that whatever else the machine does meets all of
 * them alike. Answers are verified before anything is timed, and the first round only warms up.
 *
 * @throws Error if a peer gives another text than the upstream has said
 */
export async function runBench(options: BenchOptions = {}): Promise<readonly MeasureResult[]> {
  const { peers: chosen = Object.keys(peers), onProgress = () => undefined } = options
  const servers = await startServers([baseline, ...chosen.filter((name) => name !== baseline)])
  try {
    const results: MeasureResult[] = []
    for (const measure of measures) {
      if (options.measures && !options.measures.includes(measure.name)) continue
      const able = servers.peers.filter(({ name }) => !(measure.needsTools === true && name === 'byte pipe'))
      for (const peer of able) {
        onProgress(`${measure.name}: ${peer.name} is verified`)
        await verifyPeer(peer, measure)
      }
      const rounds = Math.min(options.rounds ?? measure.rounds, measure.rounds)
      const { name, title, unit } = measure
      results.push({ name, title, unit, rounds, results: await takeRounds(measure, able, rounds, onProgress) })
    }
    return results
  } finally {
    servers.close()
  }
}

async function takeRounds(
  measure: Measure,
  able: readonly RunningPeer[],
  rounds: number,
  onProgress: (step: string) => void,
): Promise<readonly Result[]> {
  const taken = new Map<string, number[]>(able.map(({ name }) => [name, []]))
  for (let round = 0; round <= rounds; round++) {
    for (const peer of able) {
      onProgress(`${measure.name}: round ${round} of ${rounds}, ${peer.name}`)
      const value = await measure.take(peer)
      if (round > 0 || rounds === 1) taken.get(peer.name)?.push(value)
    }
  }
  return summarize(taken)
}
