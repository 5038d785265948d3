import type { Message } from '../../protocol/messages.ts'
import type { SessionStore } from '../session-store.ts'
import { expectEqual, expectTrue } from './expectations.ts'
import { type CaseDefinition, type ConformanceCase, type ConformanceOptions, conformanceSuite } from './suite.ts'

const claimMs = 10_000
const id = 'session-1'

function talk(...texts: string[]): Message[] {
  return texts.map((content) => ({ role: 'user', content }))
}

const sessionCases: readonly CaseDefinition<SessionStore>[] = [
  {
    name: 'an unknown session is empty and of version 0',
    async check({ store }) {
      expectEqual(await store.load(id), { sessionId: id, version: 0, messages: [] }, 'load')
    },
  },
  {
    name: 'a claim shows, and commits count versions',
    async check({ store, peer }) {
      expectEqual(
        await store.claim(id, 'run-1', claimMs),
        { status: 'claimed', session: { sessionId: id, version: 0, messages: [], activeRunId: 'run-1' } },
        'claim',
      )
      const text = 'a\n\u0000\u2028\u{1f600}'
      expectEqual(await store.commit(id, 'run-1', 0, talk(text)), { status: 'committed', version: 1 }, 'commit')
      expectEqual(await store.commit(id, 'run-1', 1, talk(text, 'b')), { status: 'committed', version: 2 }, 'commit')
      await store.release(id, 'run-1')
      expectEqual(await peer.load(id), { sessionId: id, version: 2, messages: talk(text, 'b') }, 'load')
    },
  },
  {
    name: 'one run is active; it may claim again',
    async check({ store, peer, clock }) {
      await store.claim(id, 'run-1', claimMs)
      clock.advance(claimMs - 1)
      expectEqual(
        await peer.claim(id, 'run-2', claimMs),
        { status: 'busy', activeRunId: 'run-1', expiresAt: clock.now() + 1 },
        'claim by another run',
      )
      expectEqual((await store.claim(id, 'run-1', claimMs)).status, 'claimed', 'claim by the same run')
      clock.advance(claimMs - 1)
      expectEqual((await peer.claim(id, 'run-2', claimMs)).status, 'busy', 'claim after the first would have expired')
    },
  },
  {
    name: 'of many who claim at once, one does',
    async check({ store, peer }) {
      const claims = Array.from({ length: 8 }, (_, index) =>
        (index % 2 ? store : peer).claim(id, `run-${index}`, claimMs),
      )
      const claimed = (await Promise.all(claims)).filter(({ status }) => status === 'claimed')
      expectEqual(claimed.length, 1, 'how many claimed')
    },
  },
  {
    name: 'a claim that has expired is free, and its run can no longer commit once another has claimed',
    async check({ store, peer, clock }) {
      await store.claim(id, 'run-1', claimMs)
      clock.advance(claimMs)
      expectEqual((await store.load(id)).activeRunId, undefined, 'the active run after expiry')
      expectEqual((await peer.claim(id, 'run-2', claimMs)).status, 'claimed', 'claim by another run')
      expectEqual(
        await store.commit(id, 'run-1', 0, talk('zombie')),
        { status: 'conflict', version: 0, activeRunId: 'run-2' },
        'commit by the zombie',
      )
      expectEqual(
        await peer.commit(id, 'run-2', 0, talk('own')),
        { status: 'committed', version: 1 },
        'commit by the owner',
      )
      expectEqual((await store.load(id)).messages, talk('own'), 'the messages')
    },
  },
  {
    name: 'a run whose claim has expired may commit as long as nobody else has claimed',
    async check({ store, clock }) {
      await store.claim(id, 'run-1', claimMs)
      clock.advance(claimMs + 1)
      expectEqual(await store.commit(id, 'run-1', 0, talk('late')), { status: 'committed', version: 1 }, 'commit')
    },
  },
  {
    name: 'a commit of another version is a conflict and changes nothing',
    async check({ store, peer }) {
      await store.claim(id, 'run-1', claimMs)
      await store.commit(id, 'run-1', 0, talk('a'))
      for (const version of [0, 2]) {
        expectEqual(await peer.commit(id, 'run-1', version, talk('b')), { status: 'conflict', version: 1 }, 'commit')
      }
      expectEqual((await store.load(id)).messages, talk('a'), 'the messages')
    },
  },
  {
    name: 'of many commits of one version, one succeeds',
    async check({ store, peer }) {
      await store.claim(id, 'run-1', claimMs)
      const commits = Array.from({ length: 8 }, (_, index) =>
        (index % 2 ? store : peer).commit(id, 'run-1', 0, talk(`${index}`)),
      )
      const winners = (await Promise.all(commits)).flatMap(({ status }, index) =>
        status === 'committed' ? [index] : [],
      )
      expectEqual(winners.length, 1, 'how many committed')
      expectEqual(await store.load(id).then(({ messages }) => messages), talk(`${winners[0]}`), 'the messages')
    },
  },
  {
    name: 'release frees a session for others, and only its own run can do it',
    async check({ store, peer }) {
      await store.claim(id, 'run-1', claimMs)
      await peer.release(id, 'run-2')
      expectEqual((await peer.claim(id, 'run-2', claimMs)).status, 'busy', "claim after another run's release")
      await store.release(id, 'run-1')
      expectEqual(
        await store.commit(id, 'run-1', 0, talk('a')),
        { status: 'conflict', version: 0 },
        'commit after release',
      )
      expectEqual((await peer.claim(id, 'run-2', claimMs)).status, 'claimed', 'claim after release')
    },
  },
  {
    name: 'what is deleted is gone, and a run under way cannot bring it back',
    async check({ store, peer }) {
      await store.claim(id, 'run-1', claimMs)
      await store.commit(id, 'run-1', 0, talk('secret'))
      await peer.delete(id)
      expectEqual(await store.load(id), { sessionId: id, version: 0, messages: [] }, 'load')
      for (const version of [0, 1]) {
        expectEqual(
          await store.commit(id, 'run-1', version, talk('secret')),
          { status: 'conflict', version: 0 },
          'commit by the run under way',
        )
      }
    },
  },
  {
    name: 'a session keeps the owner that its first claim named',
    async check({ store, peer }) {
      await store.claim(id, 'run-1', claimMs, 'ada')
      const claimed = await peer.claim(id, 'run-1', claimMs, 'eve')
      expectEqual(claimed.status === 'claimed' && claimed.session.owner, 'ada', 'the owner after another claim')
      await store.commit(id, 'run-1', 0, talk('a'))
      await store.release(id, 'run-1')
      expectEqual(
        await peer.load(id),
        { sessionId: id, version: 1, messages: talk('a'), owner: 'ada' },
        'the session after its run',
      )
    },
  },
  {
    name: 'list gives the sessions of an owner, the one that was used last first, page by page',
    async check({ store, peer, clock }) {
      const start = clock.now()
      for (const [sessionId, owner] of [
        ['a', 'ada'],
        ['b', 'ada'],
        ['c', 'eve'],
        ['d', undefined],
      ] as const) {
        await store.claim(sessionId, `run-${sessionId}`, claimMs, owner)
        clock.advance(1)
      }
      await store.commit('a', 'run-a', 0, talk('a'))
      await store.release('a', 'run-a')
      const all = [
        { sessionId: 'a', version: 1, usedAt: start + 4 },
        { sessionId: 'b', version: 0, usedAt: start + 1, activeRunId: 'run-b' },
      ]
      expectEqual(await peer.list({ owner: 'ada', limit: 10 }), all, 'the sessions of an owner')
      expectEqual(await peer.list({ owner: 'ada', limit: 1 }), all.slice(0, 1), 'the first page')
      const before = { at: start + 4, id: 'a' }
      expectEqual(await peer.list({ owner: 'ada', limit: 1, before }), all.slice(1), 'the second page')
      clock.advance(claimMs)
      const [, abandoned] = await peer.list({ owner: 'ada', limit: 10 })
      expectEqual(abandoned?.activeRunId, undefined, 'the active run of a claim that has expired')
      await store.delete('a')
      expectEqual((await peer.list({ owner: 'ada', limit: 10 })).length, 1, 'how many are left after a deletion')
    },
  },
  {
    name: 'sessions are apart, and what a caller does to its messages afterwards changes nothing',
    async check({ store }) {
      const messages = talk('a')
      await store.claim(id, 'run-1', claimMs)
      await store.claim('__proto__', 'run-2', claimMs)
      await store.commit(id, 'run-1', 0, messages)
      messages.push(...talk('b'))
      const loaded = await store.load(id)
      expectEqual(loaded.messages, talk('a'), 'the messages')
      expectTrue(loaded !== (await store.load(id)), 'two loads gave the same object')
      expectEqual((await store.load('__proto__')).messages, [], 'the messages of the other session')
    },
  },
]

/**
 * What every {@link SessionStore} must do, as tests for any runner.
 *
 * @throws MillraceError `invalid_option` where `gaps` names a case that does not exist
 */
export function sessionStoreConformance(options: ConformanceOptions<SessionStore>): readonly ConformanceCase[] {
  return conformanceSuite(sessionCases, options)
}
