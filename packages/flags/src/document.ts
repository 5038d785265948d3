/** What `JSON.parse` may give. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/** What flagd calls metadata: a flat record, shown in evaluations and never interpreted. */
export type FlagMetadata = { [key: string]: string | number | boolean }

/**
 * How units are spread over buckets. The name is pinned: a change of the hash would be another name, so that an upgrade
 * never moves a user. `murmur3-32/1` is MurmurHash3 x86 32-bit, seed 0, over the UTF-8 bytes of `${salt}.${unit}`; the
 * bucket is `floor(hash * 100000 / 2^32)`, and a unit is in where its bucket is below `percent * 1000`.
 */
export type BucketAlgorithm = 'murmur3-32/1'

/** A share of units, and who is in or out whatever the share. */
export interface FlagRollout {
  /** 0 to 100, at most three decimals. Growing it never drops anyone. Default: 0. */
  readonly percent?: number
  /** The attribute of the context that is counted. Default: `targetingKey`. */
  readonly unit?: string
  /** Default: `murmur3-32/1`, salted with the flag's key. Another salt draws the users anew. */
  readonly bucketing?: { readonly algo?: BucketAlgorithm; readonly salt?: string }
  /** Names of segments that are in, whatever their bucket. */
  readonly include?: readonly string[]
  /** Names of segments that are out. Wins over everything else of the flag. */
  readonly exclude?: readonly string[]
  /** What those get who are in. Default: the one variant whose value is `true`. All others get `defaultVariant`. */
  readonly variant?: string
}

/** A flag, as flagd defines it, and `rollout`, which flagd ignores: it then serves `defaultVariant`. */
export interface FlagDefinition {
  /** A flag that is `DISABLED` counts as absent: the next source is asked, and at last the code's default holds. */
  readonly state: 'ENABLED' | 'DISABLED'
  /** All of one type. */
  readonly variants: Readonly<Record<string, JsonValue>>
  /** `null`, or left out: the code's default. */
  readonly defaultVariant?: string | null
  /** JSONLogic as flagd has it. Needs a {@link TargetingEngine}. Asked before `rollout`; a rule that gives `null` leaves it to that. */
  readonly targeting?: { readonly [operator: string]: JsonValue }
  readonly rollout?: FlagRollout
  readonly metadata?: FlagMetadata
}

/** A set of users: whoever matches one of its lists. */
export interface FlagSegment {
  /** Compared with `targetingKey`, exactly. */
  readonly targetingKeys?: readonly string[]
  /** Compared with the part after the `@` of the `email` attribute, or of a `targetingKey` that has one, in any case. */
  readonly emailDomains?: readonly string[]
  /** Attribute to accepted values. An attribute that is a list matches by any of its members. */
  readonly attributes?: Readonly<Record<string, readonly (string | number | boolean)[]>>
}

/**
 * A flag file, and what the `StateStore` source keeps: flagd's format with `$segments` and each flag's `rollout` added, in
 * places where flagd's own schema allows them.
 */
export interface FlagDocument {
  readonly $format?: typeof flagFormat
  readonly flags: Readonly<Record<string, FlagDefinition>>
  readonly $segments?: Readonly<Record<string, FlagSegment>>
  /** Rules that `targeting` refers to by `{"$ref": name}`. */
  readonly $evaluators?: Readonly<Record<string, JsonValue>>
  readonly metadata?: FlagMetadata
}

/** The name of this format. A document may carry it; one of another name was written by a later version, and is refused. */
export const flagFormat = 'millrace-flags/1'
