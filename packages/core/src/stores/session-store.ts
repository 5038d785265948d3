import type { Message } from '../protocol/messages.ts'
import type { ListPosition } from './run-store.ts'

export interface Session {
  readonly sessionId: string
  /** 0 for a session that was never committed; grows by 1 with each commit. */
  readonly version: number
  readonly messages: readonly Message[]
  /** Whose conversation it is: the owner that its first claim named. */
  readonly owner?: string
  /** The run that may commit to it now, where there is one. */
  readonly activeRunId?: string
}

export type CommitResult =
  | { readonly status: 'committed'; readonly version: number }
  /** The session stands at `version`, or `activeRunId` was the last to claim it. */
  | { readonly status: 'conflict'; readonly version: number; readonly activeRunId?: string }

export type ClaimResult =
  | { readonly status: 'claimed'; readonly session: Session }
  /** `expiresAt`: when the claim ends unless it is prolonged, in ms since the epoch. */
  | { readonly status: 'busy'; readonly activeRunId: string; readonly expiresAt: number }

export interface SessionQuery {
  readonly owner: string
  /** Only what comes after this position: the `usedAt` and the id of the last session of the page before. */
  readonly before?: ListPosition
  readonly limit: number
}

/** A session in a list. */
export interface SessionSummary {
  readonly sessionId: string
  readonly version: number
  /** When it was last claimed, released or committed, in milliseconds since the epoch. */
  readonly usedAt: number
  readonly activeRunId?: string
}

/**
 * Where conversations are kept. A framework's session holds the id alone. Each method is one atomic step. Methods reject
 * only where the store itself failed.
 */
export interface SessionStore {
  /** The session; an unknown id is an empty session of version 0. */
  load(sessionId: string): Promise<Session>
  /**
   * Makes `runId` the one active run for `ttlMs` milliseconds. Claiming again by the same run prolongs it. The first claim
   * that names an `owner` makes the session theirs; later ones do not change that.
   */
  claim(sessionId: string, runId: string, ttlMs: number, owner?: string): Promise<ClaimResult>
  /** Gives the claim back where `runId` still holds it. */
  release(sessionId: string, runId: string): Promise<void>
  /**
   * Replaces the messages where the session is still at `expectedVersion` and `runId` was the last to claim it and has
   * not given it back. A claim that has expired will still do, as long as nobody else has claimed.
   */
  commit(sessionId: string, runId: string, expectedVersion: number, messages: readonly Message[]): Promise<CommitResult>
  /** Forgets the conversation and its claim. A run that is under way gets a conflict when it commits. */
  delete(sessionId: string): Promise<void>
  /** Lists the sessions of an owner, the one that was used last first. */
  list(query: SessionQuery): Promise<readonly SessionSummary[]>
}
