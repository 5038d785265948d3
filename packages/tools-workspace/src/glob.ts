import { ToolError } from '@millrace/core'

type Token = { readonly kind: 'char'; readonly char: string } | { readonly kind: 'one' | 'some' | 'deep' }

/** More alternatives are a mistake, or an attempt to fill memory. */
const maxAlternatives = 64

function expand(glob: string): string[] {
  // The innermost group first; the groups around it follow.
  const group = /\{([^{}]*)\}/.exec(glob)
  if (group === null) return [glob]
  const [whole, inside = ''] = group
  const before = glob.slice(0, group.index)
  const after = glob.slice(group.index + whole.length)
  const expanded = [...new Set(inside.split(',').flatMap((each) => expand(`${before}${each}${after}`)))]
  if (expanded.length > maxAlternatives) throw new ToolError('The glob has too many alternatives in braces.')
  return expanded
}

function tokenize(glob: string): Token[] {
  const tokens: Token[] = []
  for (const [part] of glob.matchAll(/\*\*\/?|\*|\?|[^*?]/gsu)) {
    if (part.startsWith('**')) tokens.push({ kind: 'deep' })
    else if (part === '*') tokens.push({ kind: 'some' })
    else if (part === '?') tokens.push({ kind: 'one' })
    else tokens.push({ kind: 'char', char: part })
  }
  return tokens
}

/**
 * Returns whether the tokens match the whole path. All matches are followed in parallel, so the time is at most the length
 * of the glob times the length of the path.
 */
function matchesTokens(tokens: readonly Token[], path: string): boolean {
  const reach = (states: Iterable<number>): Set<number> => {
    const all = new Set<number>()
    for (let state of states) {
      all.add(state)
      // A star may match nothing.
      for (let kind = tokens[state]?.kind; kind === 'some' || kind === 'deep'; kind = tokens[state]?.kind)
        all.add((state += 1))
    }
    return all
  }
  let states = reach([0])
  for (const char of path) {
    const next: number[] = []
    for (const state of states) {
      const token = tokens[state]
      if (token === undefined) continue
      switch (token.kind) {
        case 'deep':
          next.push(state)
          break
        case 'some':
          if (char !== '/') next.push(state)
          break
        case 'one':
          if (char !== '/') next.push(state + 1)
          break
        case 'char':
          if (char === token.char) next.push(state + 1)
          break
      }
    }
    states = reach(next)
  }
  return states.has(tokens.length)
}

/**
 * Reads a glob: `*` and `?` within a name, `**` across folders, `{a,b}`. A glob without a slash matches names in any folder.
 *
 * @throws ToolError if it has too many alternatives
 */
export function readGlob(glob: string): (path: string) => boolean {
  const alternatives = expand(glob).map((each) => ({ tokens: tokenize(each), whole: each.includes('/') }))
  return (path) => {
    const name = path.slice(path.lastIndexOf('/') + 1)
    return alternatives.some(({ tokens, whole }) => matchesTokens(tokens, whole ? path : name))
  }
}
