import { sized } from '@millrace/config/sized'
import { createAgent, defineTool, type FlagClient, type FlagContext, type RunDecision } from '@millrace/core'
import type { FlagDocument } from '@millrace/flags'
import * as fc from 'fast-check'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
import { document, key, user, variables } from './support/flag-arbitraries.ts'
import { exampleEnvironment, exampleFlags, userCount, userOf } from './support/flag-example.ts'
import { type Answers, askAll, openFlagSources, tools } from './support/flag-sources.ts'
import { type FlagServer, programArguments, startFlagServer } from './support/start-flag-server.ts'

let server: FlagServer
let folder: string

beforeAll(async () => {
  server = await startFlagServer()
})
afterAll(() => server.stop())
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-agree-'))
})
afterEach(() => rm(folder, { recursive: true, force: true }))

/** Writes the flags as files, as if long ago: a file that was just written is waited for. JSON is YAML as well. */
async function writeFiles(document: FlagDocument): Promise<string[]> {
  const paths = ['flags.json', 'flags.yaml'].map((name) => join(folder, name))
  for (const path of paths) {
    await writeFile(path, JSON.stringify(document))
    await utimes(path, 1, 1)
  }
  return paths
}

const runTools = tools.map((name) =>
  defineTool({ name, description: '', inputSchema: { jsonSchema: { type: 'object' } }, run: () => '' }),
)

/**
 * The decision that core takes; the model is not asked for more than it needs to be started. Without the source's own
 * reason, because OFREP and OpenFeature pass on what another evaluator says.
 */
async function decisionOf(flags: FlagClient, user: FlagContext): Promise<Omit<RunDecision, 'flagReason'> | undefined> {
  const refused = Object.assign(new Error('no'), { status: 400, type: 'invalid_request_error' })
  const agent = createAgent({
    client: { messages: { create: () => Promise.reject(refused) } },
    request: { model: 'claude-opus-5-5', max_tokens: 10 },
    tools: runTools,
    flags,
  })
  let decision: Omit<RunDecision, 'flagReason'> | undefined
  for await (const event of agent.run({ messages: [{ role: 'user', content: 'Hi' }], user })) {
    if (event.type !== 'run.started') continue
    const { flagReason: _own, ...taken } = event.decision
    decision = taken
  }
  return decision
}

interface Seen {
  decisions: number
  readonly modes: Set<string>
}

/** Holds all sources against the flags themselves, for each user: what core asks for, and what it makes of it. */
async function expectAgreement(
  document: FlagDocument,
  env: Readonly<Record<string, string>> | undefined,
  users: readonly FlagContext[],
  seen: Seen,
): Promise<void> {
  const [paths, address] = [await writeFiles(document), await server.put(document)]
  const sources = await openFlagSources({ document, paths, address, env })
  try {
    const [first, ...others] = sources.clients
    expect(others).toHaveLength(env === undefined ? 12 : 14)
    for (const user of users) {
      const answers = first === undefined ? {} : await askAll(first.client, user)
      const decision = first === undefined ? undefined : await decisionOf(first.client, user)
      for (const { name, client } of others) {
        expect({ name, answers: await askAll(client, user) }).toEqual({ name, answers })
        expect({ name, decision: await decisionOf(client, user) }).toEqual({ name, decision })
      }
      seen.decisions++
      seen.modes.add(`${decision?.mode} ${decision?.reason} ${Object.values(decision?.tools ?? {}).join()}`)
    }
  } finally {
    await sources.close()
  }
}

const users = fc.array(user, { minLength: 1, maxLength: 4 })

test('same user, same flags: the same decision from every source of ours, also through OpenFeature', async () => {
  const seen: Seen = { decisions: 0, modes: new Set() }
  await fc.assert(
    fc.asyncProperty(document, users, (given, asking) => expectAgreement(given, undefined, asking, seen)),
    { numRuns: sized({ quick: 15, long: 60 }) },
  )
  // Agreement on one answer would be none.
  expect(seen.decisions).toBeGreaterThan(sized({ quick: 15, long: 60 }))
  expect(seen.modes.size).toBeGreaterThan(sized({ quick: 3, long: 6 }))
})

test('variables decide as the flags that they stand for', async () => {
  const seen: Seen = { decisions: 0, modes: new Set() }
  const asking = fc.array(
    fc.record(
      {
        targetingKey: fc.oneof(key, fc.constantFrom('u123', 'ada@home.example', 'eve@corp.example')),
        email: fc.constantFrom('ada@home.example', 'eve@corp.example'),
      },
      { requiredKeys: [] },
    ),
    { minLength: 1, maxLength: 4 },
  )
  await fc.assert(
    fc.asyncProperty(variables, asking, (flags, askers) => expectAgreement(flags.document, flags.env, askers, seen)),
    { numRuns: sized({ quick: 15, long: 60 }) },
  )
  expect(seen.modes.size).toBeGreaterThan(sized({ quick: 3, long: 6 }))
})

test('1,000 users: another process decides the same, from every source', async () => {
  const [paths, address] = [await writeFiles(exampleFlags), await server.put(exampleFlags)]
  const program = programArguments(new URL('support/flag-child.ts', import.meta.url))
  const child = promisify(execFile)(process.execPath, [...program, address, ...paths], {
    env: { ...process.env, ...exampleEnvironment },
    maxBuffer: 64_000_000,
  })
  const sources = await openFlagSources({ document: exampleFlags, paths, address, env: exampleEnvironment })
  const ours: Record<string, Answers[]> = {}
  for (const { name, client } of sources.clients) {
    ours[name] = await Promise.all(Array.from({ length: userCount }, (_, index) => askAll(client, userOf(index))))
  }
  await sources.close()
  const { stdout } = await child
  const theirs: unknown = JSON.parse(stdout)
  expect(Object.keys(ours)).toHaveLength(15)
  expect(theirs).toEqual(ours)
  const [first = [], ...others] = Object.values(ours)
  for (const other of others) expect(other).toEqual(first)
  const streaming = first.filter((answers) => answers['use_streaming']?.[0] === true).length
  // One in seven is staff; of the others, an eighth.
  expect(streaming).toBeGreaterThan(150)
  expect(streaming).toBeLessThan(350)
})
