import { mediaTypes, type RunFormat } from '@millrace/wire'
import { ProblemError } from './problem.ts'

interface Offer {
  readonly format: RunFormat
  readonly type: string
}

/** What `Accept` can ask for; the first is what a client gets that has no wish. */
const offers: readonly Offer[] = [
  { format: 'sse', type: mediaTypes.sse },
  { format: 'json', type: mediaTypes.json },
  { format: 'ndjson', type: mediaTypes.ndjson },
]

const formats: readonly string[] = ['sse', 'ndjson', 'json', 'ui-message-stream', 'ag-ui'] satisfies RunFormat[]

function isFormat(value: string): value is RunFormat {
  return formats.includes(value)
}

/**
 * The format that a request asks for: by `?format=`, else by `Accept`, where a type that is named wins over a wildcard of
 * the same weight: many HTTP clients send `application/json` and a wildcard, and mean the first.
 *
 * @throws ProblemError `not_acceptable`
 */
export function negotiateFormat(query: string | null, accept: string | null): RunFormat {
  if (query !== null) {
    if (isFormat(query)) return query
    throw new ProblemError('not_acceptable', `\`format\` is one of ${formats.join(', ')}`)
  }
  if (accept === null || accept.trim() === '') return 'sse'
  const wishes = parseAccept(accept)
  const ranked = offers
    .map(({ format, type }) => ({ format, ...weigh(type, wishes) }))
    .filter(({ quality }) => quality > 0)
    .sort((a, b) => b.quality - a.quality || b.precision - a.precision)
  const [best] = ranked
  if (best) return best.format
  const types = offers.map(({ type }) => type).join(', ')
  throw new ProblemError('not_acceptable', `A run can be had as ${types}, or by \`?format=\``)
}

interface Wish {
  readonly type: string
  readonly quality: number
}

function parseAccept(accept: string): readonly Wish[] {
  return accept.split(',', 64).map((part) => {
    const [type = '', ...parameters] = part.split(';').map((text) => text.trim().toLowerCase())
    const weight = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2)
    const quality = weight === undefined ? 1 : Number(weight)
    return { type, quality: Number.isFinite(quality) ? quality : 0 }
  })
}

/** The most precise wish about `type` counts, as RFC 9110 has it. */
function weigh(type: string, wishes: readonly Wish[]): { readonly quality: number; readonly precision: number } {
  const ranges = ['*/*', `${type.split('/', 1).join('')}/*`, type]
  for (const [precision, range] of [...ranges.entries()].reverse()) {
    const wish = wishes.find((one) => one.type === range)
    if (wish) return { quality: wish.quality, precision }
  }
  return { quality: 0, precision: 0 }
}
