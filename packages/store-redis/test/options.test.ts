import { Cluster, Redis } from 'ioredis'
import { expect, test } from 'vitest'
import { redisStores } from '../src/index.ts'

const client = new Redis({ lazyConnect: true })

test.each([
  ['an unknown option', { client, prefx: 'a:' }, 'unknown option "prefx"; did you mean "prefix"?'],
  ['a prefix with braces, which would move keys to another slot', { client, prefix: 'a{b}' }, 'prefix must be'],
  ['a time limit of 0', { client, timeoutMs: 0 }, 'timeoutMs must be'],
  ['an unknown limit', { client, limits: { runChars: 1 } }, 'limits.runChars'],
  ['a retention without end', { client, retention: { eventsMs: Infinity } }, 'retention.eventsMs must be'],
  ['what is no client', { client: {} }, 'client must be a client of ioredis or node-redis'],
  ['no client', {}, 'client must be a client of ioredis or node-redis'],
  ['a keyPrefix of ioredis', { client: new Redis({ lazyConnect: true, keyPrefix: 'app:' }) }, 'must have no keyPrefix'],
  [
    'a keyPrefix of a Cluster',
    { client: new Cluster([], { lazyConnect: true, redisOptions: { keyPrefix: 'app:' } }) },
    'must have no keyPrefix',
  ],
])('refuses %s', (_, options, message) => {
  const start: (options: never) => unknown = redisStores
  expect(() => Reflect.apply(start, undefined, [options])).toThrow(message)
})
