import { type ClientEvent, createClient, type RunView, viewText } from '@millrace/client'
import { isMillraceError } from '@millrace/core'

/** What one client saw, from its question to the end of its run. */
export interface Seen {
  readonly number: number
  readonly runId: string
  readonly owner: string
  readonly outcome: string | undefined
  /** The code of the error that the run ended with. */
  readonly errorCode: string | undefined
  readonly text: string
  /** The `seq` of each event since the run was last read from its start. */
  readonly seqs: readonly number[]
  readonly resets: number
  readonly failure: string | undefined
}

export interface RunClientOptions {
  readonly number: number
  /** Where the next request goes. */
  readonly pickPort: () => number
}

/** Starts a run on one instance and follows it, wherever its connection is made anew. */
export async function runClient({ number, pickPort }: RunClientOptions): Promise<Seen> {
  const owner = `user-${number}`
  const client = createClient({
    url: 'http://service.test',
    headers: { 'x-user-id': owner },
    fetch: (input, init) => {
      const url = new URL(input instanceof Request ? input.url : String(input))
      return fetch(`http://127.0.0.1:${pickPort()}${url.pathname}${url.search}`, init)
    },
    reconnect: { attempts: 1000, minDelayMs: 30, maxDelayMs: 500 },
  })
  let run = client.start({ input: `Question of run ${number}`, sessionId: `chat-${number}` })
  let seqs: number[] = []
  let resets = 0
  let failure: string | undefined
  const take = (event: ClientEvent): void => {
    if (event.type === 'reset') {
      resets++
      seqs = []
    } else {
      seqs.push(event.seq)
    }
  }
  try {
    for await (const batch of run.batches()) batch.forEach(take)
    // Its instance lost the store or the run, and so may the next one: followed until it is told the same again.
    for (let isNew = wasLost(run.view); isNew;) {
      const anew = client.follow(run.runId)
      const seqsBefore = seqs
      seqs = []
      for await (const batch of anew.batches()) batch.forEach(take)
      isNew = wasLost(anew.view) && seqs.length !== seqsBefore.length
      run = anew
    }
  } catch (error) {
    // A run that could not be stored at all is not found.
    if (!isMillraceError(error, 'not_found') || !wasLost(run.view))
      failure = isMillraceError(error) ? `${error.code}: ${error.message}` : String(error)
  }
  const { runId, view } = run
  const { outcome, error } = view
  return { number, runId, owner, outcome, errorCode: error?.code, text: viewText(view), seqs, resets, failure }
}

function wasLost({ error }: RunView): boolean {
  return error?.code === 'store_unavailable' || error?.code === 'lease_lost'
}
