import type { FlagContext } from '@millrace/core'
import type { FlagDefinition, FlagDocument } from '@millrace/flags'

const onOff = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' } as const
const on: FlagDefinition = { ...onOff, rollout: { percent: 100, variant: 'on' } }
const off: FlagDefinition = { ...onOff, rollout: { percent: 0, variant: 'on' } }

/** What variables and files can both say. */
export const exampleFlags: FlagDocument = {
  flags: {
    'use_streaming.kill': onOff,
    use_streaming: { ...onOff, rollout: { percent: 12.5, include: ['internal'], variant: 'on' } },
    'use_streaming.tool.*': off,
    'use_streaming.tool.bash': off,
    'use_streaming.tool.web_search': on,
  },
  $segments: {
    internal: {
      targetingKeys: ['user-17', 'ada@home.example'],
      emailDomains: ['corp.example'],
      attributes: { email: ['ada@home.example'] },
    },
  },
}

/** The same, as the process that deploys would write it. */
export const exampleEnvironment = {
  MILLRACE_STREAMING: '12.5%',
  MILLRACE_STREAMING_INTERNAL: '@corp.example,user-17,ada@home.example',
  MILLRACE_STREAMING_TOOLS: 'web_search,!bash',
  MILLRACE_STREAMING_KILL: '0',
} as const

export const userCount = 1000

/** Users of all kinds, by number: the same in every process. */
export function userOf(index: number): FlagContext {
  const email = index % 7 === 0 ? `user-${index}@corp.example` : `user-${index}@home.example`
  return { targetingKey: index % 5 === 0 ? email : `user-${index}`, ...(index % 2 === 0 && { email }), plan: 'pro' }
}
