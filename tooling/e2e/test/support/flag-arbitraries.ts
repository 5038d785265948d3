import type { FlagContext } from '@millrace/core'
import type { FlagDefinition, FlagDocument, FlagRollout, FlagSegment } from '@millrace/flags'
import * as fc from 'fast-check'
import { tools } from './flag-sources.ts'

const word = fc.string({ unit: fc.constantFrom('a', 'b', 'u', '1', '7', '-', '_'), minLength: 1, maxLength: 6 })
/** Targeting keys: of all kinds that text has. */
export const key: fc.Arbitrary<string> = fc.oneof(
  { weight: 3, arbitrary: word },
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  // Half a character, nothing, and what JavaScript objects have by themselves.
  fc.constantFrom('\ud800', '', '__proto__', 'constructor', 'ada@corp.example', '@corp.example', '\u2028', '0'),
)
const plan = fc.constantFrom('free', 'pro', 1, true, null)
/** Who asks. */
export const user: fc.Arbitrary<FlagContext> = fc.record(
  {
    targetingKey: key,
    email: fc.constantFrom('ada@corp.example', 'ADA@Corp.Example', 'ada@home.example', 'nobody', ''),
    plan: fc.oneof(plan, fc.array(plan, { maxLength: 2 })),
    seat: fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), word),
  },
  { requiredKeys: [] },
)

const percent = fc.oneof(
  fc.constantFrom(0, 100, 50),
  fc.integer({ min: 0, max: 100_000 }).map((thousandths) => thousandths / 1000),
)
const segmentNames = ['internal', 'paying'] as const
const some = fc.subarray([...segmentNames])
const rollout: fc.Arbitrary<FlagRollout> = fc.record(
  {
    percent,
    unit: fc.constantFrom('targetingKey', 'seat', 'plan'),
    bucketing: fc.record({ salt: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }) }),
    include: some,
    exclude: some,
    variant: fc.constantFrom('on', 'off'),
  },
  { requiredKeys: [] },
)
const booleanFlag: fc.Arbitrary<FlagDefinition> = fc
  .record({
    state: fc.constantFrom('ENABLED' as const, 'ENABLED' as const, 'ENABLED' as const, 'DISABLED' as const),
    defaultVariant: fc.constantFrom('on', 'off', 'off', null),
    rollout: fc.option(rollout, { nil: undefined }),
  })
  .map(({ rollout: share, ...rest }) => ({
    ...rest,
    variants: { on: true, off: false },
    ...(share !== undefined && { rollout: share }),
  }))
const textFlag: FlagDefinition = { state: 'ENABLED', variants: { red: 'r' }, defaultVariant: 'red' }
const flag = fc.oneof({ weight: 9, arbitrary: booleanFlag }, fc.constant(textFlag))
const segment: fc.Arbitrary<FlagSegment> = fc.record(
  {
    targetingKeys: fc.array(key, { maxLength: 3 }).map((keys) => keys.filter((one) => one !== '')),
    emailDomains: fc.constantFrom([], ['corp.example'], ['Home.Example']),
    attributes: fc.record({ plan: fc.constantFrom(['pro'], [1, true], ['1']) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
)
/** Flags of every shape that the format has without a targeting engine. */
export const document: fc.Arbitrary<FlagDocument> = fc.record({
  flags: fc.record(
    {
      use_streaming: flag,
      'use_streaming.kill': fc.oneof(
        { weight: 4, arbitrary: fc.constant({ ...textFlag, state: 'DISABLED' as const }) },
        flag,
      ),
      'use_streaming.tool.*': flag,
      'use_streaming.tool.bash': flag,
      'use_streaming.tool.web_search': flag,
    },
    { requiredKeys: ['use_streaming'] },
  ),
  $segments: fc.record({ internal: segment, paying: segment }),
})

/** What variables can say, and the flags that they then stand for. */
export const variables: fc.Arbitrary<{
  readonly document: FlagDocument
  readonly env: Readonly<Record<string, string>>
}> = fc
  .record({
    streaming: fc.oneof(
      fc.constantFrom({ text: 'on', flag: { defaultVariant: 'on' } }, { text: 'off', flag: { defaultVariant: 'off' } }),
      percent.map((share) => ({ text: `${share}%`, flag: { defaultVariant: 'off', rollout: { percent: share } } })),
    ),
    internal: fc.subarray(['u123', 'ada@home.example', '@corp.example']),
    chosen: fc.option(
      fc.record(Object.fromEntries(tools.map((tool) => [tool, fc.constantFrom(true, false, undefined)]))),
      {
        nil: undefined,
      },
    ),
    kill: fc.constantFrom(undefined, undefined, 'on', 'off'),
  })
  .map(({ streaming, internal, chosen, kill }) => {
    const named = Object.entries(chosen ?? {}).filter(([, on]) => on !== undefined)
    const flagOf = (on: unknown): FlagDefinition => ({
      state: 'ENABLED',
      variants: { on: true, off: false },
      defaultVariant: on === true ? 'on' : 'off',
    })
    const isShare = 'rollout' in streaming.flag && internal.length > 0
    const flags: Record<string, FlagDefinition> = {
      use_streaming: {
        ...flagOf(false),
        ...streaming.flag,
        ...(isShare && { rollout: { ...streaming.flag.rollout, include: ['internal'] } }),
      },
      ...(named.length > 0 && { 'use_streaming.tool.*': flagOf(!named.some(([, on]) => on === true)) }),
      ...Object.fromEntries(named.map(([tool, on]) => [`use_streaming.tool.${tool}`, flagOf(on)])),
      ...(kill !== undefined && { 'use_streaming.kill': flagOf(kill === 'on') }),
    }
    const keys = internal.filter((item) => !item.startsWith('@'))
    const addresses = keys.filter((item) => item.includes('@'))
    const segments = {
      internal: {
        targetingKeys: keys,
        emailDomains: internal.filter((item) => item.startsWith('@')).map((item) => item.slice(1)),
        attributes: { email: addresses },
      },
    }
    const env: Record<string, string> = {
      MILLRACE_STREAMING: streaming.text,
      MILLRACE_STREAMING_INTERNAL: internal.join(', '),
      MILLRACE_STREAMING_TOOLS: named.map(([tool, on]) => (on === true ? tool : `!${tool}`)).join(),
      ...(kill !== undefined && { MILLRACE_STREAMING_KILL: kill }),
    }
    return { document: { flags, $segments: segments }, env }
  })
