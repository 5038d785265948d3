import type { ListPosition, RunStore, RunSummary, Session, SessionStore } from '@millrace/core'

/** Where the data of users is. */
export interface UserDataStores {
  readonly runs: Pick<RunStore, 'cancel' | 'delete' | 'list'>
  readonly sessions: Pick<SessionStore, 'delete' | 'list' | 'load'>
}

/** One piece of what is stored of a user. */
export type UserData =
  | { readonly type: 'session'; readonly session: Session }
  | { readonly type: 'run'; readonly run: RunSummary }

export interface DeletedUserData {
  readonly sessions: number
  readonly runs: number
}

/** Entries that are listed at once. */
const pageSize = 100

/**
 * Gives everything that is stored of a user, as far as retention has kept it: the conversations and the runs. It checks no
 * permission: call it from a route that does. Rejects where a store fails.
 */
export async function* exportUserData({ runs, sessions }: UserDataStores, owner: string): AsyncIterable<UserData> {
  for await (const { sessionId } of pages((page) => sessions.list({ owner, ...page }), positionOfSession)) {
    yield { type: 'session', session: await sessions.load(sessionId) }
  }
  for await (const run of pages((page) => runs.list({ owner, ...page }), positionOfRun)) yield { type: 'run', run }
}

/**
 * Deletes everything that is stored of a user. Cancels runs that are under way first; what they write afterwards is refused.
 * What a list does not hold yet is left: call it again until it finds nothing. It checks no permission: call it from a route
 * that does. Rejects where a store fails, and can be called again.
 */
export async function deleteUserData({ runs, sessions }: UserDataStores, owner: string): Promise<DeletedUserData> {
  const deleted = { sessions: 0, runs: 0 }
  for await (const { runId, closed } of pages((page) => runs.list({ owner, ...page }), positionOfRun)) {
    if (!closed) await runs.cancel(runId, "the user's data is deleted")
    await runs.delete(runId)
    deleted.runs++
  }
  for await (const { sessionId } of pages((page) => sessions.list({ owner, ...page }), positionOfSession)) {
    await sessions.delete(sessionId)
    deleted.sessions++
  }
  return deleted
}

interface Page {
  readonly limit: number
  readonly before?: ListPosition
}

async function* pages<Item>(
  list: (page: Page) => Promise<readonly Item[]>,
  positionOf: (item: Item) => ListPosition,
): AsyncIterable<Item> {
  let before: ListPosition | undefined
  for (;;) {
    const page = await list({ limit: pageSize, ...(before && { before }) })
    yield* page
    const last = page.at(-1)
    if (last === undefined || page.length < pageSize) return
    before = positionOf(last)
  }
}

function positionOfRun({ createdAt: at, runId: id }: RunSummary): ListPosition {
  return { at, id }
}

function positionOfSession({
  usedAt: at,
  sessionId: id,
}: {
  readonly usedAt: number
  readonly sessionId: string
}): ListPosition {
  return { at, id }
}
