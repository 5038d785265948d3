import { type FaultCase, faultMatrix } from '@millrace/testing'
import type { Consumer } from './millrace-loop.ts'

/** Who is graded: by what consumes the run, and whether a legacy loop stands behind it. */
export const variants: {
  readonly [Name in 'events' | 'callbacks' | 'legacy' | 'legacy-callbacks']: {
    readonly consumer: Consumer
    readonly useLegacy: boolean
    /** Whether each byte is swept, or each event alone: who consumes the run, or stands behind it, sees no bytes. */
    readonly bytes: boolean
  }
} = {
  events: { consumer: 'events', useLegacy: false, bytes: true },
  callbacks: { consumer: 'callbacks', useLegacy: false, bytes: false },
  legacy: { consumer: 'events', useLegacy: true, bytes: false },
  'legacy-callbacks': { consumer: 'callbacks', useLegacy: true, bytes: false },
}

export type Variant = keyof typeof variants

export function isVariant(name: string): name is Variant {
  return Object.hasOwn(variants, name)
}

/**
 * The faults of the transport that strike at every byte. A reset, and a chunk that is not finished, also take bytes away
 * that had arrived, and how many differs: they are swept by event.
 */
const byteKinds = ['destroy', 'end', 'gzip-cut', 'stall']

export interface SweepOptions {
  readonly seed?: number
  /** Whether each byte meets each fault of the transport. Default: one, in turn. */
  readonly eachByte?: boolean
}

const matrices = new Map<number, readonly FaultCase[]>()

/** Returns every case of a seed. Building them takes seconds, so it is done once. */
function matrixOf(seed: number): readonly FaultCase[] {
  const cases = matrices.get(seed) ?? faultMatrix({ seed })
  matrices.set(seed, cases)
  return cases
}

/** Each event with each fault at each frequency; each byte, with the faults of the transport in turn. */
export function sweptCases(variant: Variant, { seed = 1, eachByte = false }: SweepOptions = {}): readonly FaultCase[] {
  const { bytes, useLegacy } = variants[variant]
  return matrixOf(seed).filter(({ id, kind, frequency }) => {
    // Where every request is answered with nothing, the legacy loop is as well, and what it then returns is its owner's.
    if (useLegacy && kind === 'empty-answer' && frequency === 'every-request') return false
    const [, unit, at] = /@(event|byte):(\d+)/.exec(id) ?? []
    const position = Number(at)
    if (unit !== 'byte') return true
    if (!bytes) return false
    return eachByte ? byteKinds.includes(kind) : byteKinds[position % byteKinds.length] === kind
  })
}
