import type { FlagDefinition, FlagDocument, FlagRollout } from '../../src/document.ts'
import type { FlagReading } from '../../src/read-document.ts'

/** A boolean flag that is off but for its rollout. */
export function flag(rollout?: FlagRollout, rest: Partial<FlagDefinition> = {}): FlagDefinition {
  return {
    state: 'ENABLED',
    variants: { on: true, off: false },
    defaultVariant: 'off',
    ...(rollout !== undefined && { rollout }),
    ...rest,
  }
}

export function streaming(rollout?: FlagRollout, rest: Partial<FlagDefinition> = {}): FlagDocument {
  return { flags: { use_streaming: flag(rollout, rest) } }
}

/** Everything that the format has, in one document. */
export const everything: FlagDocument = {
  $format: 'millrace-flags/1',
  flags: {
    use_streaming: {
      state: 'ENABLED',
      variants: { on: true, off: false },
      defaultVariant: 'off',
      rollout: {
        percent: 12.5,
        unit: 'targetingKey',
        bucketing: { algo: 'murmur3-32/1', salt: 'spring' },
        include: ['internal'],
        exclude: ['fragile'],
        variant: 'on',
      },
      metadata: { owner: 'chat', ticket: 7, temporary: true },
    },
    'use_streaming.tool.*': flag({ percent: 100 }),
    'use_streaming.tool.bash': flag(undefined, { state: 'DISABLED' }),
    'use_streaming.kill': flag(),
    theme: {
      state: 'ENABLED',
      variants: { light: 'l', dark: 'd' },
      defaultVariant: null,
      targeting: { if: [{ $ref: 'vip' }, 'dark', null] },
    },
    limit: { state: 'ENABLED', variants: { low: 1, high: 10 }, defaultVariant: 'low' },
    layout: { state: 'ENABLED', variants: { wide: { columns: 3 } }, defaultVariant: 'wide' },
  },
  $segments: {
    internal: { targetingKeys: ['u123'], emailDomains: ['corp.example'] },
    fragile: { attributes: { plan: ['trial', 1, true] } },
  },
  $evaluators: { vip: { '==': [{ var: 'plan' }, 'vip'] } },
  metadata: { flagSetId: 'test', version: '1' },
}

/** The document as it is read when nothing is wrong with it. */
export function reading(document: FlagDocument): FlagReading {
  return { status: 'read', document, issues: [], invalid: new Map() }
}
