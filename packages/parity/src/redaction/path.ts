import { refuse } from '@millrace/core/kit'

/** One step of a path: a field or index, any one, or any number of steps. */
export type Step = { readonly kind: 'key'; readonly key: string } | { readonly kind: 'one' } | { readonly kind: 'any' }

/**
 * Reads a path such as `messages.*.content.*.text`: names between dots, `*` for any field or index, and `**` for any
 * number of them. A name with a dot, a bracket or a star is written `["like.this"]`.
 *
 * @throws MillraceError `invalid_option` with the part that cannot be read
 */
export function parsePath(path: string, option: string): readonly Step[] {
  const steps: Step[] = []
  let rest = path
  while (rest !== '') {
    const quoted = /^\.?\[("(?:[^"\\]|\\.)*")\]/.exec(rest)
    const plain = /^\.?([^.[\]"]+)/.exec(rest)
    const found = quoted ?? plain
    const isFirst = rest === path
    if (found === null || (isFirst && rest.startsWith('.')) || (!isFirst && quoted === null && !rest.startsWith('.'))) {
      refuse(option, `cannot be read at "${rest}": write names between dots, such as "messages.*.content.*.text"`)
    }
    steps.push(readStep(found[1] ?? '', quoted !== null))
    rest = rest.slice(found[0].length)
  }
  if (steps.length === 0) refuse(option, 'must not be empty')
  return steps
}

function readStep(written: string, isQuoted: boolean): Step {
  if (isQuoted) return { kind: 'key', key: String(JSON.parse(written)) }
  if (written === '*') return { kind: 'one' }
  return written === '**' ? { kind: 'any' } : { kind: 'key', key: written }
}
