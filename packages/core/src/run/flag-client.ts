/** A value of the context that a flag is evaluated with. */
export type FlagValue = string | number | boolean | null | Date | { [key: string]: FlagValue } | FlagValue[]

/** Who asks. `targetingKey` is the unit that percentages are counted over, as in OpenFeature. */
export type FlagContext = { targetingKey?: string } & { [attribute: string]: FlagValue }

/** The answer of a flag source, in OpenFeature's terms. */
export interface FlagDetails<T> {
  readonly value: T
  readonly variant?: string
  readonly reason?: string
  readonly errorCode?: string
}

/**
 * The port of flag sources. A client of `@openfeature/server-sdk` satisfies it as it is; a source of our own answers
 * synchronously. It may throw or hang: the decision is taken by a deadline, and falls to its safe side.
 */
export interface FlagClient {
  getBooleanDetails(
    key: string,
    fallback: boolean,
    context?: FlagContext,
  ): FlagDetails<boolean> | PromiseLike<FlagDetails<boolean>>
}

/** The flag keys that Millrace reads. */
export const flagKeys: {
  readonly streaming: string
  readonly kill: string
  readonly tool: (name: string) => string
} = {
  streaming: 'use_streaming',
  kill: 'use_streaming.kill',
  tool: (name) => `use_streaming.tool.${name}`,
}
