import { aFunction, aSignal, checkOptions, refuse, rule } from '@millrace/core/kit'
import type { Cassette } from '../cassette/cassette.ts'
import type { Fetch } from '../record/recording-fetch.ts'
import { parameterChanges } from '../replay/parameter-changes.ts'
import { type RecordedRun, recordedRun } from '../replay/recorded-run.ts'
import { replayFetch } from '../replay/replay-fetch.ts'
import { createReplayModel, type ReplayModel } from '../replay/replay-model.ts'
import { replayRun } from '../replay/replay-run.ts'
import { isVariantName, type Variant, type VariantName, variantNames, variantOf } from '../replay/variant.ts'
import { compareRun, type RunComparison, type RunDifference } from './compare-run.ts'
import type { Normalisation } from './normalise.ts'

/** Where a replayed model is served over HTTP. */
export interface ReplayPlace {
  readonly baseURL: string
  readonly fetch: Fetch
  /** Stops serving it. */
  readonly close: () => Promise<void>
}

export interface CompareOptions {
  /** How the recording is replayed. Default: every variant, or all but `http` without a `place`. */
  readonly variants?: readonly VariantName[]
  /** The seed of the random chunks. Default: 1. */
  readonly seed?: number
  /** Serves the replayed model for the variant `http`: `replayServer` of `@millrace/parity/node`. Default: none. */
  readonly place?: (model: ReplayModel) => Promise<ReplayPlace>
  /** Wraps the fetch that asks the replayed model, to compare a transport of your own. */
  readonly through?: (fetch: Fetch) => Fetch
  readonly signal?: AbortSignal
}

/** One difference and the variants that show it. The values are those of the first variant. */
export interface Difference extends RunDifference {
  readonly variants: readonly VariantName[]
}

/** What the comparison of one cassette found. */
export interface CassetteReport {
  readonly id: string
  /** Whether nothing differs. */
  readonly equal: boolean
  /** Turns that were compared. */
  readonly turns: number
  readonly variants: readonly VariantName[]
  readonly differences: readonly Difference[]
  /** The differences that were ignored, and how often: the most in any variant. */
  readonly normalised: Readonly<Partial<Record<Normalisation, number>>>
  /** What the comparison leaves out, in words. */
  readonly notes: readonly string[]
}

/**
 * Replays a cassette through Millrace in every variant and compares messages, tool calls, stop reasons, usage and
 * requests with what was recorded. Tools are answered from the recording: none of the team's runs.
 *
 * Rejects with a MillraceError `invalid_option` or `unknown_option`, a ParityError `invalid_cassette`, or with the
 * signal's reason.
 */
export async function compareCassette(cassette: Cassette, given: CompareOptions = {}): Promise<CassetteReport> {
  checkCompareOptions(given)
  const { place, seed = 1 } = given
  const { variants = variantNames.filter((name) => name !== 'http' || place !== undefined) } = given
  const run = recordedRun(cassette)
  const compared: (readonly [VariantName, RunComparison])[] = []
  for (const name of variants) {
    // One after the other, since each replay holds a copy of a recording that may be large.
    compared.push([name, await compareVariant(run, variantOf(name, seed), given)])
  }
  const found = mergeDifferences(compared)
  return {
    id: run.id,
    equal: found.length === 0,
    turns: run.turns.length,
    variants,
    differences: found,
    normalised: mergeCounts(compared.map(([, { normalised }]) => normalised)),
    notes: notesOn(run),
  }
}

async function compareVariant(run: RecordedRun, variant: Variant, given: CompareOptions): Promise<RunComparison> {
  const { place, through = (fetch) => fetch, signal } = given
  // Such a run has only a request, so there is nothing to compare.
  if (run.turns.length === 0 && run.end.kind === 'unfinished') return { differences: [], normalised: new Map() }
  const model = createReplayModel(run, variant)
  const asked = variant.name === 'http' ? await place?.(model) : undefined
  try {
    const fetch = through(asked?.fetch ?? replayFetch(model))
    const replayed = await replayRun({
      run,
      variant,
      model,
      fetch,
      ...(asked !== undefined && { baseURL: asked.baseURL }),
      ...(signal !== undefined && { signal }),
    })
    return compareRun(run, replayed)
  } finally {
    await asked?.close()
  }
}

function mergeDifferences(compared: readonly (readonly [VariantName, RunComparison])[]): Difference[] {
  const merged: { -readonly [Field in keyof Difference]: Difference[Field] }[] = []
  for (const [name, { differences }] of compared) {
    for (const difference of differences) {
      const known = merged.find(({ turn, path }) => turn === difference.turn && path === difference.path)
      if (known === undefined) merged.push({ ...difference, variants: [name] })
      else known.variants = [...known.variants, name]
    }
  }
  // Differences of the whole run come after those of its turns.
  return merged.toSorted(
    (one, other) => (one.turn || Number.POSITIVE_INFINITY) - (other.turn || Number.POSITIVE_INFINITY) || 0,
  )
}

function mergeCounts(all: readonly ReadonlyMap<Normalisation, number>[]): CassetteReport['normalised'] {
  const most = new Map<Normalisation, number>()
  for (const counts of all) {
    for (const [name, count] of counts) most.set(name, Math.max(most.get(name) ?? 0, count))
  }
  return Object.fromEntries(most)
}

function notesOn({ turns, end, retries, first }: RecordedRun): string[] {
  const changed = [...new Set(turns.flatMap(({ parameters }) => parameterChanges(first.parameters, parameters)))]
  const failures = end.kind === 'finished' ? retries : Math.max(0, retries - 1)
  const notes: string[] = []
  if (failures > 0) notes.push(`failed requests that the loop sent again are not replayed: ${failures}`)
  if (changed.length > 0)
    notes.push(`the loop changes ${changed.join(', ')} between its turns: the recorded values are sent`)
  if (end.kind === 'unfinished') notes.push(`${end.why}: compared up to turn ${turns.length}`)
  if (end.kind === 'failed') notes.push('the recorded run failed: its last error is replayed')
  return notes
}

const rules = {
  variants: rule(
    (value) => Array.isArray(value) && value.length > 0 && value.every(isVariantName),
    `must list some of ${variantNames.join(', ')}`,
  ),
  seed: rule(Number.isSafeInteger, 'must be a whole number'),
  place: aFunction,
  through: aFunction,
  signal: aSignal,
}

/** @throws MillraceError `invalid_option`, `unknown_option` */
function checkCompareOptions(given: CompareOptions): void {
  checkOptions(given, '', rules)
  if (given.variants?.includes('http') === true && given.place === undefined) {
    refuse('variants', 'has "http", which needs a place: pass replayServer of @millrace/parity/node as `place`')
  }
}
