import { seededRandom } from '@millrace/testing/stream'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { judge, type Verdict } from './checks.ts'
import { startModel } from './conversation.ts'
import { startEffects } from './effects.ts'
import { fastClock } from './fast-clock.ts'
import { type Instance, startInstance } from './instance.ts'
import { runClient, type Seen } from './run-client.ts'
import { openStores, startPlace, type StoreName, type StorePlace } from './stores.ts'

export interface ChaosOptions {
  readonly store: StoreName
  readonly seed: number
  readonly runs: number
  /** How many runs are under way at once. */
  readonly atOnce: number
  /** Milliseconds between two harms, at most. */
  readonly harmEveryMs: number
  /** Milliseconds after which nothing is harmed any more, so that what is left ends. */
  readonly harmForMs: number
  /** Is told how far it has come. */
  readonly onProgress: (line: string) => void
}

export interface ChaosReport {
  readonly verdicts: readonly Verdict[]
  /** How often each harm was done. */
  readonly harms: Readonly<Record<string, number>>
  /** How often clients read their run again from its start. */
  readonly resets: number
}

const instanceCount = 3

/** Runs many conversations over instances that are killed all the time, and judges what came of each. */
export async function chaos(options: ChaosOptions): Promise<ChaosReport> {
  const { store, seed, onProgress } = options
  const random = seededRandom(seed)
  const origin = Date.now()
  const place = await startPlace(store)
  const model = await startModel()
  const effects = await startEffects()
  const instances: Instance[] = []
  const stores = await openStores(store, place.address, fastClock(origin))
  const shared = { store, address: place.address, origin, modelUrl: model.url, effectsUrl: effects.url }
  try {
    for (let index = 0; index < instanceCount; index++)
      instances.push(await startInstance({ ...shared, port: await freePort() }))
    const ended: Seen[] = []
    const harming = new AbortController()
    const enough = setTimeout(() => harming.abort(), options.harmForMs)
    const counts: Record<string, number> = {}
    const harmed = harmUntil(harming.signal, { instances, place, random, counts, options })
    const progress = setInterval(() => onProgress(progressLine(options, ended, counts)), 5000)
    try {
      await runAll(options, ended, () => instances[Math.floor(Math.random() * instanceCount)]?.port ?? 0)
    } finally {
      clearInterval(progress)
      clearTimeout(enough)
      harming.abort()
      await harmed
    }
    onProgress(progressLine(options, ended, counts))
    const verdicts: Verdict[] = []
    for (const seen of ended) verdicts.push(await judge(seen, stores, effects))
    return { verdicts, harms: counts, resets: ended.reduce((sum, { resets }) => sum + resets, 0) }
  } finally {
    await Promise.all(instances.map((instance) => instance.close()))
    await stores.close()
    await Promise.all([model.close(), effects.close(), place.close()])
  }
}

async function runAll({ runs, atOnce }: ChaosOptions, ended: Seen[], pickPort: () => number): Promise<void> {
  let next = 0
  const work = async (): Promise<void> => {
    while (next < runs) ended.push(await runClient({ number: next++, pickPort }))
  }
  await Promise.all(Array.from({ length: atOnce }, work))
}

interface Harming {
  readonly instances: readonly Instance[]
  readonly place: StorePlace
  readonly random: () => number
  readonly counts: Record<string, number>
  readonly options: ChaosOptions
}

/** Does harm at moments that the seed gives; several things may be broken at once. An instance that starts is left alone. */
async function harmUntil(signal: AbortSignal, { instances, place, random, counts, options }: Harming): Promise<void> {
  const storeHarms = Object.entries(place.harms)
  const underWay = new Map<unknown, Promise<void>>()
  const failures: unknown[] = []

  function harm(what: unknown, name: string, work: () => Promise<void>): void {
    if (underWay.has(what)) return
    counts[name] = (counts[name] ?? 0) + 1
    const done = work()
      .catch((error: unknown) => void failures.push(error))
      .finally(() => underWay.delete(what))
    underWay.set(what, done)
  }

  while (!signal.aborted && failures.length === 0) {
    await pause(random() * options.harmEveryMs, signal)
    const [target, kind] = [random(), random()]
    const [name, harmStore] = storeHarms[Math.floor(target * storeHarms.length)] ?? []
    const instance = instances[Math.floor(target * instances.length)]
    const signalName = kind < 0.7 ? 'SIGKILL' : 'SIGTERM'
    if (kind < 0.3 && name !== undefined && harmStore) harm(place, name, harmStore)
    else if (instance) harm(instance, signalName, () => instance.restart(signalName))
  }
  await Promise.all(underWay.values())
  // An instance or a store that cannot be started again is a failure of its own.
  if (failures.length > 0) throw new AggregateError(failures, 'what was stopped did not start again')
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const done = (): void => {
      clearTimeout(timer)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done, { once: true })
  })
}

function progressLine({ store, runs }: ChaosOptions, ended: readonly Seen[], counts: Record<string, number>): string {
  const harms = Object.entries(counts).map(([name, count]) => `${count} × ${name}`)
  return `${store}: ${ended.length} of ${runs} runs have ended; ${harms.join(', ')}`
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  return typeof address === 'object' && address !== null ? address.port : 0
}
