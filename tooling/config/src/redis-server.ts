import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

/** A Redis server of its own, on a port of 127.0.0.1. */
export interface RedisServer {
  readonly port: number
  /** What `redis-cli` prints for a command, such as `command('client', 'kill', 'type', 'normal')`. */
  command(...args: string[]): Promise<string>
  /** Resolves once the server has printed a line that matches, from now on. */
  printed(pattern: RegExp): Promise<void>
  /** Stops the server and keeps its data. `SIGKILL` gives it no time to write. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again, on the same port and with the data it had. */
  start(): Promise<void>
  /** Stops it for good. */
  close(): Promise<void>
}

/** Three servers that share the slots of a Redis Cluster. */
export interface RedisCluster {
  readonly nodes: readonly RedisServer[]
  close(): Promise<void>
}

/**
 * Starts `redis-server`. Each write is in its append-only file before it is answered, so that nothing that was confirmed
 * is lost by a restart. Name the program with `requireProgram('redis-server')` first.
 *
 * @param options further options of the command line, such as `['--maxmemory', '8mb']`
 */
export async function startRedis(options: readonly string[] = []): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'redis-'))
  for (let attempt = 0; ; attempt++) {
    const server = redisServer(await freePort(), folder, options)
    try {
      await server.start()
      return server
    } catch (error) {
      // Another process may take the free port first.
      if (attempt === 4) throw error
    }
  }
}

/** Starts a Cluster of three nodes, and waits until all of them know all slots. */
export async function startRedisCluster(options: readonly string[] = []): Promise<RedisCluster> {
  const clustered = ['--cluster-enabled', 'yes', '--cluster-node-timeout', '2000', ...options]
  const nodes = await Promise.all([0, 1, 2].map(() => startRedis(clustered)))
  const [first] = nodes
  const close = async (): Promise<void> => void (await Promise.all(nodes.map((node) => node.close())))
  try {
    const agreed = Promise.all(nodes.map((node) => node.printed(/Cluster state changed: ok/)))
    const addresses = nodes.map(({ port }) => `127.0.0.1:${port}`)
    await first?.command('--cluster', 'create', ...addresses, '--cluster-yes')
    await agreed
    return { nodes, close }
  } catch (error) {
    await close()
    throw error
  }
}

function redisServer(port: number, folder: string, options: readonly string[]): RedisServer {
  let child: ChildProcess | undefined
  let exited: Promise<unknown> = Promise.resolve()
  const watchers = new Set<(line: string) => void>()
  const place = ['--port', String(port), '--bind', '127.0.0.1', '--dir', folder, '--save', '']
  // The bus of a Cluster is 10,000 ports higher by default, which may be more than there are.
  const bus = ['--cluster-port', String(port > 55_000 ? port - 10_000 : port + 10_000)]
  const args = [...place, ...bus, '--appendonly', 'yes', '--appendfsync', 'always', ...options]

  async function stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    child?.kill(signal)
    await exited
  }

  function printed(pattern: RegExp): Promise<void> {
    return new Promise((resolve) => {
      const look = (line: string): void => {
        if (!pattern.test(line)) return
        watchers.delete(look)
        resolve()
      }
      watchers.add(look)
    })
  }

  return {
    port,
    stop,
    printed,
    async command(...words) {
      const { stdout } = await promisify(execFile)('redis-cli', ['-p', String(port), ...words])
      return stdout.trim()
    },
    async start() {
      const started = spawn('redis-server', args, { stdio: ['ignore', 'pipe', 'ignore'] })
      child = started
      exited = once(started, 'exit')
      createInterface({ input: started.stdout }).on('line', (line) => {
        for (const look of watchers) look(line)
      })
      const ready = printed(/Ready to accept connections/)
      const ended = exited.then(() => Promise.reject(new Error(`redis-server ended before it was ready, port ${port}`)))
      await Promise.race([ready, ended])
      ended.catch(() => {})
    },
    async close() {
      await stop('SIGKILL')
      await rm(folder, { recursive: true, force: true })
    },
  }
}

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  await once(probe, 'close')
  if (typeof address !== 'object' || address === null) throw new Error('no free port')
  return address.port
}
