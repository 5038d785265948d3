import type { FlagDocument } from '@millrace/flags'

const variants = { on: true, off: false }

/** A document in which streaming is on for all or for nobody, of a size that varies with `padding`. */
function documentOf(on: boolean, padding = 0): FlagDocument {
  return {
    metadata: { padding: 'x'.repeat(padding) },
    flags: {
      'use_streaming.kill': { state: 'ENABLED', variants, defaultVariant: 'off' },
      use_streaming: { state: 'ENABLED', variants, defaultVariant: 'off', rollout: { percent: on ? 100 : 0 } },
    },
  }
}

export const jsonOf = (on: boolean, padding = 0): string => JSON.stringify(documentOf(on, padding), null, 2)

/** By hand, as people write it: cut within its last lines it is valid, and says something else. */
export const yamlOf = (on: boolean, padding = 0): string => `# ${'x'.repeat(padding)}
flags:
  use_streaming.kill:
    state: ENABLED
    variants: { "on": true, "off": false }
    defaultVariant: "off"
  use_streaming:
    state: ENABLED
    variants: { "on": true, "off": false }
    defaultVariant: "off"
    rollout:
      percent: ${on ? 100 : 0}
`
