import { performance } from 'node:perf_hooks'
import { MillraceError } from '@millrace/core'
import { migrate } from './migrate.ts'
import type { PostgresResult, Settings } from './options.ts'
import { type Row, rowOf } from './rows.ts'
import { isPassing, isUnsent, storeError, unavailable } from './store-error.ts'

/** Milliseconds before the first repetition of a call; doubled for each further one. */
const firstPause = 50
const longestPause = 1_000

export interface CallOptions {
  /** Whether the statement may be repeated where nobody knows whether it was carried out. Default: true. */
  readonly isRepeatable?: boolean
}

/** Statements to the server. Each is one transaction. While the server is away they wait, for at most `timeoutMs`. */
export interface Calls {
  /** @param values the parameters; a function is told whether the statement was sent before */
  rows(
    sql: string,
    values: readonly unknown[] | ((isRepeated: boolean) => readonly unknown[]),
    options?: CallOptions,
  ): Promise<readonly Row[]>
  /** The same for a statement that always gives a row. */
  row(
    sql: string,
    values: readonly unknown[] | ((isRepeated: boolean) => readonly unknown[]),
    options?: CallOptions,
  ): Promise<Row>
  /** Later calls, and those that wait, reject with `store_unavailable`. */
  close(): void
}

export function createCalls(settings: Settings): Calls {
  const { pool, timeoutMs } = settings
  let prepared: Promise<void> | undefined
  let isClosed = false

  async function prepare(): Promise<void> {
    prepared ??= migrate(settings)
    try {
      await prepared
    } catch (error) {
      // The next call tries again.
      prepared = undefined
      throw error
    }
  }

  const rows: Calls['rows'] = async (sql, values, { isRepeatable = true } = {}) => {
    const deadline = performance.now() + timeoutMs
    let pause = firstPause
    for (let isRepeated = false; ; pause = Math.min(pause * 2, longestPause)) {
      if (isClosed) throw new MillraceError('store_unavailable', 'the Postgres store is closed')
      try {
        const given = typeof values === 'function' ? values(isRepeated) : values
        const answer = prepare().then(() => pool.query(sql, [...given]))
        const { rows } = await within(deadline - performance.now(), answer)
        return rows.map(rowOf)
      } catch (error) {
        const mayPass = isRepeatable ? isPassing(error) : isUnsent(error)
        if (!mayPass || performance.now() + pause >= deadline) throw storeError(error)
        isRepeated ||= !isUnsent(error)
      }
      await new Promise((resolve) => setTimeout(resolve, pause))
    }
  }

  return {
    rows,
    row: async (...call) => rowOf((await rows(...call))[0]),
    close: () => void (isClosed = true),
  }
}

/** A connection that is silent, rather than gone, answers nothing for minutes. */
async function within(ms: number, answer: Promise<PostgresResult>): Promise<PostgresResult> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable('the Postgres server did not answer in time')), ms)
  })
  try {
    return await Promise.race([answer, late])
  } finally {
    clearTimeout(timer)
  }
}
