import { MillraceError } from '../../kit/errors.ts'
import { type ManualClock, manualClock } from './manual-clock.ts'

/** What a case is run against. */
export interface StoreFixture<Store> {
  readonly store: Store
  /** Another instance over the same data, as another process would have it. Default: `store` itself. */
  readonly peer?: Store
  /** Makes the events of a closed run expire, as its retention would. Where it is left out, that case is left out. */
  readonly expireEvents?: (runId: string) => Promise<void> | void
  /** Called after the case, whatever came of it. */
  readonly close?: () => Promise<void> | void
}

export interface ConformanceOptions<Store> {
  /** A fresh, empty store for one case. All time that matters to it is `clock`'s. */
  readonly create: (clock: ManualClock) => StoreFixture<Store> | Promise<StoreFixture<Store>>
  /** Names of cases that the store is known to fail. One that passes is an error, and so is a name that no case has. */
  readonly gaps?: readonly string[]
  /** How long a case may wait for the store, in milliseconds of real time. Default: 5,000. */
  readonly timeoutMs?: number
}

/** One test, for any runner: `for (const { name, run } of cases) test(name, run)`. */
export interface ConformanceCase {
  readonly name: string
  readonly run: () => Promise<void>
}

export interface CaseContext<Store> {
  readonly store: Store
  readonly peer: Store
  readonly clock: ManualClock
  readonly fixture: StoreFixture<Store>
  /** Aborts when the case is over, so that no reader outlives it. */
  readonly signal: AbortSignal
}

export interface CaseDefinition<Store> {
  readonly name: string
  readonly check: (context: CaseContext<Store>) => Promise<void>
  /** Whether the case can be run against this fixture. Default: yes. */
  readonly applies?: (fixture: StoreFixture<Store>) => boolean
}

/** @throws MillraceError `invalid_option` where `gaps` names a case that does not exist */
export function conformanceSuite<Store>(
  definitions: readonly CaseDefinition<Store>[],
  options: ConformanceOptions<Store>,
): readonly ConformanceCase[] {
  const { gaps = [], timeoutMs = 5000 } = options
  const unknown = gaps.find((gap) => !definitions.some(({ name }) => name === gap))
  if (unknown !== undefined)
    throw new MillraceError('invalid_option', `no case is called "${unknown}"`, { path: 'gaps' })
  return definitions.map((definition) => ({
    name: definition.name,
    run: async () => {
      const failure = await outcomeOf(definition, options, timeoutMs)
      const isGap = gaps.includes(definition.name)
      if (failure && !isGap) throw failure.error
      if (!failure && isGap)
        throw new Error(`"${definition.name}" is declared as a gap, and passes: remove it from gaps`)
    },
  }))
}

async function outcomeOf<Store>(
  { name, check, applies }: CaseDefinition<Store>,
  options: ConformanceOptions<Store>,
  timeoutMs: number,
): Promise<{ readonly error: unknown } | undefined> {
  const clock = manualClock()
  const fixture = await options.create(clock)
  const over = new AbortController()
  try {
    if (applies && !applies(fixture)) return undefined
    const context = { store: fixture.store, peer: fixture.peer ?? fixture.store, clock, fixture, signal: over.signal }
    await within(timeoutMs, name, check(context))
    return undefined
  } catch (error) {
    return { error }
  } finally {
    over.abort()
    await fixture.close?.()
  }
}

async function within(timeoutMs: number, name: string, work: Promise<void>): Promise<void> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_resolve, reject) => {
    timer = setTimeout(() => reject(new Error(`"${name}" was still waiting after ${timeoutMs} ms`)), timeoutMs)
  })
  try {
    await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
