/** How deep a schema or an input may be nested. The validator recurses, and the stack is not ours to fill. */
const maxDepth = 256

/** What a copy was stopped by. `path` leads to it. */
export interface NotJson {
  readonly message: string
  readonly path: readonly (string | number)[]
}

export type Copied =
  | { readonly copy: unknown; readonly nodes: number; readonly problem?: undefined }
  | { readonly problem: NotJson }

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Thrown inside `copyJson` only, to leave the recursion. */
class Stop extends Error {
  readonly problem: NotJson
  constructor(problem: NotJson) {
    super(problem.message)
    this.problem = problem
  }
}

/**
 * Copies a JSON value into objects without a prototype, so that nothing but the value's own keys can be seen by what
 * reads the copy: `constructor` is absent unless it was sent, and `__proto__` is a key like any other. Never throws.
 */
export function copyJson(value: unknown): Copied {
  let nodes = 0
  const path: (string | number)[] = []
  const copy = (from: unknown): unknown => {
    nodes += 1
    switch (typeof from) {
      case 'string':
      case 'boolean':
        return from
      case 'number':
        if (Number.isFinite(from)) return from
        throw new Stop({ message: `${from} is no JSON number`, path: [...path] })
      case 'object':
        break
      default:
        throw new Stop({ message: `a ${typeof from} is no JSON value`, path: [...path] })
    }
    if (from === null) return null
    if (path.length >= maxDepth) throw new Stop({ message: `is nested deeper than ${maxDepth} levels`, path: [] })
    return Array.isArray(from) ? copyArray(from) : copyRecord(from)
  }
  const copyArray = (from: readonly unknown[]): unknown[] =>
    // Array.from, unlike map, also visits the holes of a sparse array.
    Array.from(from, (item, index) => {
      path.push(index)
      const copied = copy(item)
      path.pop()
      return copied
    })
  const copyRecord = (from: object): unknown => {
    const to: Record<string, unknown> = Object.create(null)
    for (const [key, item] of Object.entries(from)) {
      // JSON leaves such keys out, too; the model cannot have sent them.
      if (item === undefined) continue
      // The validator puts keys into URIs and throws on half a surrogate pair.
      if (/\p{Surrogate}/u.test(key))
        throw new Stop({ message: 'has a key that is not well-formed Unicode', path: [...path] })
      path.push(key)
      to[key] = copy(item)
      path.pop()
    }
    return to
  }
  try {
    return { copy: copy(value), nodes }
  } catch (error) {
    if (error instanceof Stop) return { problem: error.problem }
    // A getter or a proxy that throws.
    return { problem: { message: 'could not be read', path: [...path] } }
  }
}
