/** Runs tasks of one key one after the other, those of different keys side by side. */
export interface KeyedQueue {
  run<T>(key: string, task: () => Promise<T>): Promise<T>
}

export function keyedQueue(): KeyedQueue {
  const last = new Map<string, Promise<unknown>>()
  return {
    async run(key, task) {
      const before = last.get(key)
      const mine = (async () => {
        // The one before has its own caller to tell of its failure.
        await before?.catch(() => {})
        return task()
      })()
      last.set(key, mine)
      try {
        return await mine
      } finally {
        if (last.get(key) === mine) last.delete(key)
      }
    },
  }
}
