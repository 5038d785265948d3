import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readdirSync } from 'node:fs'
import { chmod, chown, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { delimiter, join } from 'node:path'
import { createInterface } from 'node:readline'
import { promisify } from 'node:util'

/** A Postgres server of its own, on a port of 127.0.0.1, with a database and a superuser both called `postgres`. */
export interface PostgresServer {
  readonly port: number
  /** `postgresql://postgres@127.0.0.1:…/postgres` */
  readonly url: string
  /** Stops the server and keeps its data: SIGQUIT, the default, drops every connection and gives it no time to write. */
  stop(signal?: NodeJS.Signals): Promise<void>
  /** Starts it again, on the same port and with the data it had. */
  start(): Promise<void>
  /** Stops it for good. */
  close(): Promise<void>
}

/** A pgbouncer in transaction mode in front of a server. */
export interface PgbouncerServer {
  readonly url: string
  close(): Promise<void>
}

/** Who runs the servers where the tests are run by root: both programs refuse to. */
interface Account {
  readonly uid?: number
  readonly gid?: number
}

/** Returns `env` with the folders that Debian installs these programs to, which are not on everybody's PATH. */
export function withPostgresPath(
  env: Readonly<Record<string, string | undefined>>,
): Record<string, string | undefined> {
  const root = '/usr/lib/postgresql'
  const versions = existsSync(root) ? readdirSync(root).map((version) => join(root, version, 'bin')) : []
  return { ...env, PATH: [env['PATH'], ...versions, '/usr/sbin'].join(delimiter) }
}

/** Starts `postgres` on a new folder. Name the program with `requireProgram` and {@link withPostgresPath} first. */
export async function startPostgres(): Promise<PostgresServer> {
  const account = await accountOf('postgres')
  const folder = await ownFolder('postgres-', account)
  const options = { env: withPostgresPath(process.env), cwd: folder, ...account }
  const initdb = ['-D', folder, '-U', 'postgres', '-A', 'trust', '-E', 'UTF8', '--no-locale', '--no-sync']
  await promisify(execFile)('initdb', initdb, options)
  const port = await freePort()
  const args = ['-D', folder, '-p', String(port), '-h', '127.0.0.1', '-k', folder]
  let child: ChildProcess | undefined
  let exited: Promise<unknown> = Promise.resolve()

  async function start(): Promise<void> {
    const started = spawn('postgres', args, { ...options, stdio: ['ignore', 'ignore', 'pipe'] })
    child = started
    exited = once(started, 'exit')
    await printed(started, /ready to accept connections/)
  }

  async function stop(signal: NodeJS.Signals = 'SIGQUIT'): Promise<void> {
    child?.kill(signal)
    await exited
  }

  await start()
  return {
    port,
    url: `postgresql://postgres@127.0.0.1:${port}/postgres`,
    start,
    stop,
    async close() {
      await stop()
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Starts `pgbouncer` in transaction mode, with fewer connections to the server than clients may have. */
export async function startPgbouncer(server: PostgresServer): Promise<PgbouncerServer> {
  const account = await accountOf('postgres')
  const folder = await ownFolder('pgbouncer-', account)
  const port = await freePort()
  const config = [
    '[databases]',
    `postgres = host=127.0.0.1 port=${server.port} user=postgres`,
    '[pgbouncer]',
    'listen_addr = 127.0.0.1',
    `listen_port = ${port}`,
    'unix_socket_dir =',
    'auth_type = any',
    'pool_mode = transaction',
    'default_pool_size = 3',
  ]
  const path = join(folder, 'pgbouncer.ini')
  await writeFile(path, config.join('\n'))
  const env = withPostgresPath(process.env)
  const child = spawn('pgbouncer', [path], { env, cwd: folder, ...account, stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  await printed(child, /process up/)
  return {
    url: `postgresql://postgres@127.0.0.1:${port}/postgres`,
    async close() {
      child.kill('SIGKILL')
      await exited
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Resolves once the program has written a line that matches to stderr; goes on reading, so that it never blocks. */
async function printed(child: ChildProcess, pattern: RegExp): Promise<void> {
  const said: string[] = []
  await new Promise<void>((resolve, reject) => {
    child.once('error', reject)
    if (child.stderr === null) return reject(new TypeError('its stderr is not read'))
    const lines = createInterface({ input: child.stderr })
    lines.on('line', (line) => {
      if (said.length < 100) said.push(line)
      if (pattern.test(line)) resolve()
    })
    lines.once('close', () => reject(new Error(`${child.spawnfile} ended:\n${said.join('\n')}`)))
  })
}

async function ownFolder(prefix: string, { uid, gid }: Account): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), prefix))
  await chmod(folder, 0o700)
  if (uid !== undefined && gid !== undefined) await chown(folder, uid, gid)
  return folder
}

async function accountOf(user: string): Promise<Account> {
  if (process.getuid?.() !== 0) return {}
  const id = async (option: string): Promise<number> => Number((await promisify(execFile)('id', [option, user])).stdout)
  return { uid: await id('-u'), gid: await id('-g') }
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  await once(server, 'close')
  if (typeof address !== 'object' || address === null) throw new TypeError('the server has no port')
  return address.port
}
