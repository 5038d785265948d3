import { sqliteStores } from '../../src/index.ts'
import { deltas, recordOf } from './events.ts'

// A process that writes to several runs at once, and says what the store has confirmed, until it is killed.
const [path = '', name = ''] = process.argv.slice(2)
const { runs } = sqliteStores({ path })

async function write(runId: string, step: number): Promise<never> {
  await runs.create(recordOf(runId), 30_000)
  for (let tail = 0; ; tail += step) {
    const result = await runs.append(runId, 1, deltas(runId, tail + 1, tail + step, '.'.repeat(step * 10)))
    if (result.status !== 'appended') throw new Error(result.status)
    process.send?.({ runId, tail: result.tail })
  }
}

await Promise.all([1, 3, 7, 40].map((step) => write(`${name}-${step}`, step)))
