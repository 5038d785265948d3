/** How deep a schema or an input may be nested. The validator recurses, so a deeper one could exhaust the stack. */
const maxDepth = 256

/** Why a value cannot be copied, and where. */
export interface NotJson {
  readonly message: string
  readonly path: readonly (string | number)[]
}

export type Copied =
  | { readonly copy: unknown; readonly nodes: number; readonly problem?: undefined }
  | { readonly problem: NotJson }

/** Thrown inside `copyJson` only, to leave its recursion. */
class Stop extends Error {
  readonly problem: NotJson
  constructor(problem: NotJson) {
    super(problem.message)
    this.problem = problem
  }
}

/**
 * Copies a JSON value into objects without a prototype, so that the reader of the copy only sees the value's own keys:
 * `constructor` is absent unless it was sent, and `__proto__` is a key like any other. Never throws.
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
        throw new Stop({ message: `${from} is not a JSON number`, path: [...path] })
      case 'object':
        break
      default:
        throw new Stop({ message: `a ${typeof from} is not a JSON value`, path: [...path] })
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
      // JSON leaves out such keys too, so the model cannot have sent them.
      if (item === undefined) continue
      // The validator puts keys into URIs, and throws on half a surrogate pair.
      if (/\p{Surrogate}/u.test(key)) {
        throw new Stop({ message: 'has a key that is not well-formed Unicode', path: [...path] })
      }
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
    // A getter or a proxy threw.
    return { problem: { message: 'could not be read', path: [...path] } }
  }
}
