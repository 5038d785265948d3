import type { RunStore, SessionStore } from '@millrace/core'
import type { ChildProcess } from 'node:child_process'

/** The stores of the parent process, for a child: they outlive it, as a database would. */
export interface RemoteStores {
  readonly runs: RunStore
  readonly sessions: SessionStore
}

interface Call {
  readonly store: string
  readonly method: string
  readonly args: readonly unknown[]
  readonly id: number
}

/** In the child. Its runs are read by their starter alone, so `read` and `abandoned` are not asked for. */
export function remoteStores(): RemoteStores {
  const waiting = new Map<number, (json: string) => void>()
  let calls = 0
  process.on('message', ({ id, json }: { readonly id: number; readonly json: string }) => waiting.get(id)?.(json))

  async function ask<Answer>(store: string, method: string, args: readonly unknown[]): Promise<Answer> {
    const id = calls++
    const answered = new Promise<string>((resolve) => waiting.set(id, resolve))
    process.send?.({ store, method, args, id } satisfies Call)
    return JSON.parse(await answered)
  }

  return {
    runs: {
      durable: true,
      create: (...args) => ask('runs', 'create', args),
      acquire: (...args) => ask('runs', 'acquire', args),
      renew: (...args) => ask('runs', 'renew', args),
      append: (...args) => ask('runs', 'append', args),
      snapshot: async (...args) => (await ask('runs', 'snapshot', args)) ?? undefined,
      cancel: (...args) => ask('runs', 'cancel', args),
      abandoned: (...args) => ask('runs', 'abandoned', args),
      list: (...args) => ask('runs', 'list', args),
      delete: (...args) => ask('runs', 'delete', args),
      read() {
        throw new Error('not asked for here')
      },
    },
    sessions: {
      load: (...args) => ask('sessions', 'load', args),
      claim: (...args) => ask('sessions', 'claim', args),
      release: (...args) => ask('sessions', 'release', args),
      commit: (...args) => ask('sessions', 'commit', args),
      delete: (...args) => ask('sessions', 'delete', args),
      list: (...args) => ask('sessions', 'list', args),
    },
  }
}

/** In the parent: serves the stores to a child, until it is told to stop. */
export function serveStores(child: ChildProcess, stores: RemoteStores): { stop(): void } {
  let isStopped = false
  child.on('message', (message: unknown) => {
    if (isStopped || !isCall(message)) return
    const { id, store, method, args } = message
    const target: object = store === 'runs' ? stores.runs : stores.sessions
    void answer(target, method, args).then((json) => {
      if (!isStopped) child.send({ id, json })
    })
  })
  return { stop: () => void (isStopped = true) }
}

async function answer(store: object, method: string, args: readonly unknown[]): Promise<string> {
  const call: unknown = Reflect.get(store, method)
  if (typeof call !== 'function') throw new TypeError(`the store has no ${method}`)
  const value: unknown = await Reflect.apply(call, store, args)
  return JSON.stringify(value ?? null)
}

function isCall(message: unknown): message is Call {
  return typeof message === 'object' && message !== null && 'store' in message
}
