/** A value that `JSON.parse` can return. */
export type JsonValue = string | number | boolean | null | readonly JsonValue[] | { readonly [key: string]: JsonValue }

/** flagd's metadata: a flat record that is passed on with evaluations and never interpreted. */
export type FlagMetadata = { [key: string]: string | number | boolean }

/**
 * How units are spread over buckets. The name pins the hash: another hash would get another name, so an upgrade never moves
 * a user. `murmur3-32/1` is MurmurHash3 x86 32-bit, seed 0, over the UTF-8 bytes of `${salt}.${unit}`. The bucket is
 * `floor(hash * 100000 / 2^32)`, and a unit is in if its bucket is below `percent * 1000`.
 */
export type BucketAlgorithm = 'murmur3-32/1'

/** A share of units, and segments that are in or out whatever the share. */
export interface FlagRollout {
  /** 0 to 100, at most three decimals. Raising it never removes anyone. Default: 0. */
  readonly percent?: number
  /** The attribute of the context that the percentage counts. Default: `targetingKey`. */
  readonly unit?: string
  /** Default: `murmur3-32/1`, salted with the flag's key. Another salt draws the users again. */
  readonly bucketing?: { readonly algo?: BucketAlgorithm; readonly salt?: string }
  /** Names of segments that are in, whatever their bucket. */
  readonly include?: readonly string[]
  /** Names of segments that are out. Wins over everything else in the flag. */
  readonly exclude?: readonly string[]
  /** The variant for units that are in; others get `defaultVariant`. Default: the only variant with the value `true`. */
  readonly variant?: string
}

/** A flag as flagd defines it, plus `rollout`. flagd ignores that, and serves `defaultVariant`. */
export interface FlagDefinition {
  /** A `DISABLED` flag is left to the next source, and finally to the code's default. */
  readonly state: 'ENABLED' | 'DISABLED'
  /** Values by the name of the variant, all of one type. */
  readonly variants: Readonly<Record<string, JsonValue>>
  /** `null`, or left out: the code's default. */
  readonly defaultVariant?: string | null
  /** JSONLogic as in flagd. Needs a {@link TargetingEngine}. Evaluated before `rollout`, which decides if the rule gives `null`. */
  readonly targeting?: { readonly [operator: string]: JsonValue }
  readonly rollout?: FlagRollout
  readonly metadata?: FlagMetadata
}

/** A set of users: those who match at least one of its lists. */
export interface FlagSegment {
  /** Compared exactly with `targetingKey`. */
  readonly targetingKeys?: readonly string[]
  /** Compared, ignoring case, with the part after the `@` of `email`, or of a `targetingKey` that has one. */
  readonly emailDomains?: readonly string[]
  /** Accepted values by attribute. An attribute that is a list matches if any of its members does. */
  readonly attributes?: Readonly<Record<string, readonly (string | number | boolean)[]>>
}

/**
 * A flag file, and what a `StateStore` holds: flagd's format, with `$segments` and the `rollout` of each flag added where
 * flagd's own schema allows further keys.
 */
export interface FlagDocument {
  readonly $format?: typeof flagFormat
  readonly flags: Readonly<Record<string, FlagDefinition>>
  readonly $segments?: Readonly<Record<string, FlagSegment>>
  /** Rules that `targeting` can refer to by `{"$ref": name}`. */
  readonly $evaluators?: Readonly<Record<string, JsonValue>>
  readonly metadata?: FlagMetadata
}

/** The name of this format. It is optional in a document. Another name means a later version, and is refused. */
export const flagFormat = 'millrace-flags/1'
