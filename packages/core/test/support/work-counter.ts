import { createHook } from 'node:async_hooks'

/** What some work cost, in steps: none of them depends on the machine. */
export interface Work {
  /** Promises that were made. */
  readonly promises: number
  /** UTF-16 code units that string methods have gone over or given. */
  readonly characters: number
  /** UTF-16 code units that were parsed as JSON or written as JSON. */
  readonly json: number
  /** Array elements that were copied or visited. */
  readonly elements: number
}

const stringMethods = ['slice', 'startsWith', 'endsWith', 'replaceAll', 'trim', 'includes', 'split', 'concat'] as const
const arrayMethods = [
  'slice',
  'map',
  'filter',
  'flatMap',
  'find',
  'findLast',
  'findIndex',
  'findLastIndex',
  'every',
  'some',
  'reduce',
  'join',
  'toSorted',
  'indexOf',
  'includes',
  'concat',
  'shift',
  'splice',
] as const

/** Counts the steps of `body`, by wrapping the methods that go over strings and arrays while it runs. */
export async function countWork(body: () => Promise<void>): Promise<Work> {
  const work = { promises: 0, characters: 0, json: 0, elements: 0 }
  const restore: (() => void)[] = []
  const wrap = (
    target: object,
    name: PropertyKey,
    count: (self: unknown, args: readonly unknown[], given: unknown) => void,
  ): void => {
    const original: unknown = Reflect.get(target, name)
    if (typeof original !== 'function') throw new TypeError(`no method ${String(name)}`)
    Reflect.defineProperty(target, name, {
      configurable: true,
      writable: true,
      value: function (this: unknown, ...args: unknown[]): unknown {
        const given: unknown = Reflect.apply(original, this, args)
        count(this, args, given)
        return given
      },
    })
    restore.push(
      () => void Reflect.defineProperty(target, name, { configurable: true, writable: true, value: original }),
    )
  }
  const lengthOf = (value: unknown): number => (typeof value === 'string' || Array.isArray(value) ? value.length : 0)

  for (const name of stringMethods) {
    // `slice` shares its string; `startsWith` reads as much as it compares.
    wrap(String.prototype, name, (self, args, given) => {
      work.characters += name === 'slice' ? lengthOf(given) : name === 'startsWith' ? lengthOf(args[0]) : lengthOf(self)
    })
  }
  wrap(String.prototype, 'indexOf', (self, args, given) => {
    const from = typeof args[1] === 'number' ? args[1] : 0
    work.characters += (given === -1 ? lengthOf(self) : Number(given)) - from
  })
  wrap(String.prototype, 'charCodeAt', () => void (work.characters += 1))
  for (const name of arrayMethods) {
    wrap(Array.prototype, name, (self, _, given) => {
      work.elements += lengthOf(name === 'slice' ? given : self)
    })
  }
  // A spread, a loop, a destructuring.
  wrap(Array.prototype, Symbol.iterator, (self) => void (work.elements += lengthOf(self)))
  wrap(JSON, 'parse', (_, args) => void (work.json += lengthOf(args[0])))
  wrap(JSON, 'stringify', (_, __, given) => void (work.json += lengthOf(given)))
  const hook = createHook({
    init(_, type) {
      if (type === 'PROMISE') work.promises += 1
    },
  })
  hook.enable()
  try {
    await body()
  } finally {
    hook.disable()
    for (const undo of restore) undo()
  }
  return work
}
