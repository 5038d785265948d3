import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { stringify } from 'yaml'

/** One series of an answer, with its value at the time of the query. */
export interface Sample {
  readonly labels: Readonly<Record<string, string>>
  readonly value: number
}

export interface Prometheus extends AsyncDisposable {
  /** Evaluates an expression now. Throws what Prometheus has to say against it. */
  query(expression: string): Promise<readonly Sample[]>
  /** The `data` of any other answer of its HTTP API. */
  get(path: string): Promise<unknown>
}

interface QueryData {
  readonly resultType: string
  readonly result: readonly { readonly metric: Record<string, string>; readonly value: readonly [number, string] }[]
}

interface Answer<Data> {
  readonly status: string
  readonly error?: string
  readonly data: Data
}

/** Starts a real Prometheus with a folder of its own, at a free port of this machine alone. */
export async function startPrometheus(config: object): Promise<Prometheus> {
  const folder = await mkdtemp(join(tmpdir(), 'prometheus-'))
  await writeFile(join(folder, 'prometheus.yml'), stringify(config))
  const args = [
    `--config.file=${join(folder, 'prometheus.yml')}`,
    `--storage.tsdb.path=${join(folder, 'data')}`,
    '--web.listen-address=127.0.0.1:0',
  ]
  const child = spawn('prometheus', args, { stdio: ['ignore', 'ignore', 'pipe'] })
  const exited = once(child, 'exit')
  const said: string[] = []
  const port = new Promise<string>((resolve, reject) => {
    const lines = createInterface({ input: child.stderr })
    lines.on('line', (line) => {
      if (said.length < 100) said.push(line)
      const [, found] = /msg="Listening on" address=127\.0\.0\.1:(\d+)/.exec(line) ?? []
      if (found !== undefined) resolve(found)
    })
    lines.once('close', () => reject(new Error(`Prometheus ended:\n${said.join('\n')}`)))
  })

  async function stop(): Promise<void> {
    child.kill()
    await exited
    await rm(folder, { recursive: true, force: true })
  }

  async function ask<Data>(path: string): Promise<Data> {
    const response = await fetch(`http://127.0.0.1:${await port}/api/v1/${path}`)
    const answer: Answer<Data> = JSON.parse(await response.text())
    if (answer.status !== 'success') throw new Error(`${answer.error} (${path})`)
    return answer.data
  }

  try {
    await port
  } catch (error) {
    await stop()
    throw error
  }
  return {
    async query(expression) {
      const { resultType, result } = await ask<QueryData>(`query?query=${encodeURIComponent(expression)}`)
      if (resultType !== 'vector') throw new TypeError(`${expression} is a ${resultType}`)
      return result.map(({ metric, value }) => ({ labels: metric, value: Number(value[1].replace('Inf', 'Infinity')) }))
    },
    get: (path) => ask(path),
    [Symbol.asyncDispose]: stop,
  }
}
