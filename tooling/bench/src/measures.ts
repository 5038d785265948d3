import { ask, openStream, verify } from './ask.ts'
import { scenarioText, type Scenario } from './scenario.ts'
import type { RunningPeer } from './servers.ts'

/** One thing that is measured of a peer, once in every round. */
export interface Measure {
  readonly name: string
  readonly title: string
  readonly unit: string
  /** Whether the byte pipe, which has no tools, can take part. */
  readonly needsTools?: boolean
  /** How many rounds give a number that holds on a busy machine; those of the short form are fewer. */
  readonly rounds: number
  /** What the answers must be for the measure to count; checked before it is taken. */
  readonly sample: Partial<Scenario>
  take(peer: RunningPeer): Promise<number>
}

/** CPU time of the peer's process for one `unit` of what `work` does. */
async function cpuOf(peer: RunningPeer, units: number, work: () => Promise<unknown>): Promise<number> {
  const before = await peer.cpu()
  await work()
  return ((await peer.cpu()) - before) / units
}

const times = <T>(count: number, work: () => Promise<T>): Promise<T[]> =>
  Promise.all(Array.from({ length: count }, work))

async function oneByOne(count: number, work: () => Promise<unknown>): Promise<void> {
  for (let index = 0; index < count; index++) await work()
}

const bulk = scenarioText({ deltas: 10_000 })
const paced = scenarioText({ deltas: 150, every: 10 })
const toolLoop = scenarioText({ deltas: 3, turns: 10 })
const short = scenarioText({ deltas: 3 })
const idle = scenarioText({ deltas: 3, hangs: true })

export const measures: readonly Measure[] = [
  {
    name: 'bulk',
    title: 'CPU time per delta, about twenty in one packet',
    unit: 'us',
    rounds: 7,
    sample: { deltas: 200 },
    take: (peer) => cpuOf(peer, 10_000, () => ask(peer.url, bulk)),
  },
  {
    name: 'paced',
    title: 'CPU time per delta, one in a packet, 100 streams',
    unit: 'us',
    rounds: 7,
    sample: { deltas: 20, every: 5 },
    take: (peer) => cpuOf(peer, 15_000, () => times(100, () => ask(peer.url, paced))),
  },
  {
    name: 'tool-turn',
    title: 'CPU time per turn of a loop of ten tool calls',
    unit: 'us',
    needsTools: true,
    rounds: 7,
    sample: { deltas: 3, turns: 3 },
    take: (peer) => cpuOf(peer, 165, () => oneByOne(15, () => ask(peer.url, toolLoop))),
  },
  {
    name: 'request',
    title: 'CPU time per answer of three deltas',
    unit: 'us',
    rounds: 7,
    sample: { deltas: 3 },
    take: (peer) => cpuOf(peer, 200, () => oneByOne(200, () => ask(peer.url, short))),
  },
  {
    name: 'first-text',
    title: 'Time until the first text, one request at a time (median of 50)',
    unit: 'us',
    rounds: 7,
    sample: { deltas: 3 },
    async take(peer) {
      const taken: number[] = []
      await oneByOne(50, async () => taken.push((await ask(peer.url, short)).firstText))
      return (taken.toSorted((a, b) => a - b)[25] ?? Number.NaN) * 1_000
    },
  },
  {
    name: 'open-stream',
    title: 'Heap of an open stream, 300 open',
    unit: 'bytes',
    rounds: 3,
    sample: { deltas: 3 },
    async take(peer) {
      const before = await peer.heap()
      const open = await times(300, async () => {
        const res = await openStream(peer.url, idle)
        await new Promise((resolve) => res.once('data', resolve))
        return res
      })
      const held = (await peer.heap()) - before
      for (const res of open) res.destroy()
      return held / 300
    },
  },
  {
    name: 'wire',
    title: 'Bytes on the wire per delta of 20 characters',
    unit: 'bytes',
    rounds: 1,
    sample: { deltas: 20 },
    async take(peer) {
      // The difference of two lengths, so that what surrounds the deltas does not count.
      const long = await ask(peer.url, scenarioText({ deltas: 60, every: 10 }))
      const brief = await ask(peer.url, scenarioText({ deltas: 20, every: 10 }))
      return (long.bytes - brief.bytes) / 40
    },
  },
]

/** Throws unless the peer gives the right answers for the measure. */
export async function verifyPeer(peer: RunningPeer, { sample }: Measure): Promise<void> {
  const input = scenarioText(sample)
  verify(peer.name, input, await ask(peer.url, input))
}
