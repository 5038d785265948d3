import type { BucketAlgorithm, FlagRollout, FlagSegment } from './document.ts'
import type { At, IssueList } from './issue-list.ts'
import { nameOf } from './issue-list.ts'

/** The only algorithm. Another name was written by a later version, and a guess would move users. */
const bucketAlgorithm: BucketAlgorithm = 'murmur3-32/1'

/** Reads a flag's `rollout`. Unknown keys are errors: a misspelt `exclude` would let in users it should keep out. */
export function readRollout(list: IssueList, at: At, input: unknown): FlagRollout | undefined {
  const value = list.record(at, input)
  if (value === undefined) return undefined
  list.keys(at, value, ['percent', 'unit', 'bucketing', 'include', 'exclude', 'variant'], 'error')
  const percent = value['percent'] === undefined ? undefined : readPercent(list, [...at, 'percent'], value['percent'])
  const unit = value['unit'] === undefined ? undefined : list.text([...at, 'unit'], value['unit'])
  const bucketing =
    value['bucketing'] === undefined ? undefined : readBucketing(list, [...at, 'bucketing'], value['bucketing'])
  const include = value['include'] === undefined ? undefined : list.texts([...at, 'include'], value['include'])
  const exclude = value['exclude'] === undefined ? undefined : list.texts([...at, 'exclude'], value['exclude'])
  const variant = value['variant'] === undefined ? undefined : list.text([...at, 'variant'], value['variant'])
  return {
    ...(percent !== undefined && { percent }),
    ...(unit !== undefined && { unit }),
    ...(bucketing !== undefined && { bucketing }),
    ...(include !== undefined && { include }),
    ...(exclude !== undefined && { exclude }),
    ...(variant !== undefined && { variant }),
  }
}

function readPercent(list: IssueList, at: At, value: unknown): number | undefined {
  if (typeof value !== 'number' || !(value >= 0 && value <= 100)) {
    return list.error(at, `must be a number from 0 to 100, not ${typeof value === 'number' ? value : nameOf(value)}`)
  }
  // A finer percentage would be rounded silently, and 0.0001 would reach nobody.
  if (Math.abs(Math.round(value * 1000) - value * 1000) > 1e-6) {
    return list.error(at, `must have at most three decimals: a bucket is 0.001 percent wide`)
  }
  return value
}

function readBucketing(list: IssueList, at: At, input: unknown): FlagRollout['bucketing'] {
  const value = list.record(at, input)
  if (value === undefined) return undefined
  list.keys(at, value, ['algo', 'salt'], 'error')
  const algo = value['algo']
  if (algo !== undefined && algo !== bucketAlgorithm) {
    return list.error(
      [...at, 'algo'],
      `must be "${bucketAlgorithm}", the only algorithm of this version; another one would move users`,
    )
  }
  const salt = value['salt'] === undefined ? undefined : list.text([...at, 'salt'], value['salt'])
  return { ...(algo !== undefined && { algo }), ...(salt !== undefined && { salt }) }
}

/** Reads one member of `$segments`. */
export function readSegment(list: IssueList, at: At, input: unknown): FlagSegment | undefined {
  const value = list.record(at, input)
  if (value === undefined) return undefined
  list.keys(at, value, ['targetingKeys', 'emailDomains', 'attributes'], 'error')
  const keys =
    value['targetingKeys'] === undefined ? undefined : list.texts([...at, 'targetingKeys'], value['targetingKeys'])
  const domains =
    value['emailDomains'] === undefined ? undefined : list.texts([...at, 'emailDomains'], value['emailDomains'])
  for (const [index, domain] of domains?.entries() ?? []) {
    if (domain.includes('@')) list.error([...at, 'emailDomains', index], 'must be the part after the @')
  }
  const attributes =
    value['attributes'] === undefined ? undefined : readAttributes(list, [...at, 'attributes'], value['attributes'])
  return {
    ...(keys !== undefined && { targetingKeys: keys }),
    ...(domains !== undefined && { emailDomains: domains }),
    ...(attributes !== undefined && { attributes }),
  }
}

function readAttributes(list: IssueList, at: At, input: unknown): FlagSegment['attributes'] {
  const value = list.record(at, input)
  if (value === undefined) return undefined
  const entries = Object.entries(value).map(([name, accepted]): [string, (string | number | boolean)[]] => {
    if (!Array.isArray(accepted)) {
      list.error([...at, name], `must be a list of values, not ${nameOf(accepted)}`)
      return [name, []]
    }
    const values = accepted.flatMap((member: unknown, index): (string | number | boolean)[] => {
      if (typeof member === 'string' || typeof member === 'number' || typeof member === 'boolean') return [member]
      list.error([...at, name, index], `must be a string, number or boolean, not ${nameOf(member)}`)
      return []
    })
    return [name, values]
  })
  return Object.fromEntries(entries)
}
