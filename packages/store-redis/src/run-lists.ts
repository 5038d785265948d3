import type { RunOutcome, RunRecord, RunStore, RunSummary } from '@millrace/core'
import { defined } from '@millrace/core/kit'
import type { Context } from './context.ts'
import { createLists } from './lists.ts'
import { deleteRun, summarizeRun } from './lua/runs.ts'
import type { OpenRuns } from './open-runs.ts'

type Named = Pick<RunRecord, 'runId' | 'sessionId' | 'owner' | 'createdAt'>

export interface RunLists extends Pick<RunStore, 'list' | 'delete'> {
  add(record: RunRecord): Promise<void>
}

/** What a list says of a run, without its messages. */
export function namedOf({ runId, sessionId, owner, createdAt }: RunRecord): Named {
  return { runId, createdAt, ...defined({ sessionId, owner }) }
}

export function createRunLists(context: Context, openRuns: OpenRuns): RunLists {
  const { commands, keys } = context
  const lists = createLists(context)

  async function find(runId: string): Promise<RunSummary | 'gone'> {
    const [json, close = '', cancelled] = await commands.run(summarizeRun, keys.run(runId), [])
    if (json === undefined) return 'gone'
    const named: Named = JSON.parse(json)
    if (close === '') return { ...named, closed: false, ...defined({ cancelled }) }
    const { outcome }: { readonly outcome: RunOutcome } = JSON.parse(close)
    return { ...named, closed: true, outcome, ...defined({ cancelled }) }
  }

  const isGone = async (runId: string): Promise<boolean> => (await find(runId)) === 'gone'
  const listsOf = (owner: string | undefined): readonly string[] => [
    ...(owner === undefined ? [] : [keys.runList(owner)]),
    keys.runList(undefined),
  ]

  return {
    async add({ runId, owner, createdAt }) {
      await Promise.all(listsOf(owner).map((list) => lists.add(list, runId, createdAt, isGone)))
    },
    list({ owner, closed, ...query }) {
      return lists.page(keys.runList(owner), query, async (runId) => {
        const summary = await find(runId)
        return summary !== 'gone' && (closed ?? summary.closed) !== summary.closed ? 'unwanted' : summary
      })
    },
    async delete(runId) {
      const channels = [keys.eventsChannel(runId), keys.cancelChannel(runId)]
      const [json] = await commands.run(deleteRun, keys.run(runId), channels)
      await openRuns.drop(runId)
      if (json === undefined) return
      const { owner }: Named = JSON.parse(json)
      await Promise.all(listsOf(owner).map((list) => lists.drop(list, [runId])))
    },
  }
}
