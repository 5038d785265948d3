import { fixedFlags } from '@millrace/flags'
import { FlagdCore } from '@openfeature/flagd-core'
import type { Comparison, Work } from './compare.ts'

const users: readonly { readonly targetingKey: string; readonly plan: string }[] = Array.from(
  { length: 1_000 },
  (_, index) => ({ targetingKey: `user-${index}`, plan: index % 10 === 0 ? 'trial' : 'paid' }),
)

const switchOf = (defaultVariant: 'on' | 'off') =>
  ({ state: 'ENABLED', variants: { on: true, off: false }, defaultVariant }) as const

/** Ten percent of all users, but for those on trial: as we say it, and as flagd does. */
function ours(): (user: (typeof users)[number]) => boolean {
  const source = fixedFlags({
    flags: { use_streaming: { ...switchOf('off'), rollout: { percent: 10, exclude: ['trial'] } } },
    $segments: { trial: { attributes: { plan: ['trial'] } } },
  })
  return (user) => source.getBooleanDetails('use_streaming', false, user).value
}

function flagd(): (user: (typeof users)[number]) => boolean {
  const core = new FlagdCore()
  const fractional = { fractional: [{ var: 'targetingKey' }, ['on', 10], ['off', 90]] }
  const targeting = { if: [{ '==': [{ var: 'plan' }, 'trial'] }, 'off', fractional] }
  core.setConfigurations(JSON.stringify({ flags: { use_streaming: { ...switchOf('off'), targeting } } }))
  return (user) => core.resolveBooleanEvaluation('use_streaming', false, user).value
}

function decide(isOn: (user: (typeof users)[number]) => boolean): Work {
  return async (decisions) => {
    let on = 0
    for (let index = 0; index < decisions; index++) {
      const user = users[index % users.length]
      if (user !== undefined && isOn(user)) on += 1
    }
    if (on === 0 && decisions >= users.length) throw new Error('nobody is on')
  }
}

/** What one decision costs, beside the evaluator of the format that ours reads. */
export const flagDecision: Comparison = {
  name: 'flags, a percentage with a segment',
  unit: 'decision',
  variants: { 'flagd-core': decide(flagd()), '@millrace/flags': decide(ours()) },
}
