import { fork, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { fileURLToPath } from 'node:url'

/** What a process has spent, and holds, when it is asked. */
export interface Spent {
  /** Microseconds of CPU time since it began, of user and system. */
  readonly cpu: number
  /** Bytes of its heap and of what belongs to it, after a garbage collection. */
  readonly heap: number
}

/** A peer that runs in a process of its own. */
export interface RunningPeer {
  readonly name: string
  readonly url: string
  cpu(): Promise<number>
  heap(): Promise<number>
}

export interface Servers {
  readonly peers: readonly RunningPeer[]
  close(): void
}

/** Starts the upstream and each of the peers. */
export async function startServers(names: readonly string[]): Promise<Servers> {
  const upstream = await start('upstream.ts', [])
  const peers = await Promise.all(
    names.map(async (name) => ({ name, ...(await start('peer-process.ts', [name, upstream.url])) })),
  )
  return {
    peers: peers.map(({ name, url, child }) => ({
      name,
      url,
      cpu: async () => (await ask(child, 'cpu')).cpu,
      heap: async () => (await ask(child, 'heap')).heap,
    })),
    close() {
      for (const { child } of [upstream, ...peers]) child.disconnect()
    },
  }
}

async function start(
  file: string,
  args: readonly string[],
): Promise<{ readonly url: string; readonly child: ChildProcess }> {
  const path = fileURLToPath(new URL(file, import.meta.url))
  const execArgv = ['--conditions=millrace-source', '--expose-gc', '--disable-warning=ExperimentalWarning']
  const child = fork(path, [...args], { execArgv })
  const message = await answerOf(child, `${args[0] ?? 'the upstream'} did not start`)
  return { url: `http://127.0.0.1:${String(Reflect.get(message, 'port'))}`, child }
}

async function ask(child: ChildProcess, what: 'cpu' | 'heap'): Promise<Spent> {
  child.send(what)
  const message = await answerOf(child, `a process ended before it told its ${what}`)
  return { cpu: Number(Reflect.get(message, 'cpu')), heap: Number(Reflect.get(message, 'heap')) }
}

async function answerOf(child: ChildProcess, problem: string): Promise<object> {
  const settled = new AbortController()
  const { signal } = settled
  try {
    const ended = once(child, 'exit', { signal }).then(() => Promise.reject(new Error(problem)))
    const [message]: unknown[] = await Promise.race([once(child, 'message', { signal }), ended])
    if (typeof message !== 'object' || message === null) throw new Error(problem)
    return message
  } finally {
    settled.abort()
  }
}
