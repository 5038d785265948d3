import { createAgent, defineTool, type FlagClient, type FlagContext, type RunDecision } from '@millrace/core'
import type { FlagDefinition, FlagDocument, FlagRollout, FlagSegment } from '@millrace/flags'
import * as fc from 'fast-check'
import { execFile } from 'node:child_process'
import { mkdtemp, rm, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, afterEach, beforeAll, beforeEach, expect, test } from 'vitest'
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

/** The decision that core takes; the model is not asked for more than it needs to be started. */
async function decisionOf(flags: FlagClient, user: FlagContext): Promise<RunDecision | undefined> {
  const refused = Object.assign(new Error('no'), { status: 400, type: 'invalid_request_error' })
  const agent = createAgent({
    client: { messages: { create: () => Promise.reject(refused) } },
    request: { model: 'claude-opus-5-5', max_tokens: 10 },
    tools: runTools,
    flags,
  })
  let decision: RunDecision | undefined
  for await (const event of agent.run({ messages: [{ role: 'user', content: 'Hi' }], user })) {
    if (event.type === 'run.started') decision = event.decision
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

const word = fc.string({ unit: fc.constantFrom('a', 'b', 'u', '1', '7', '-', '_'), minLength: 1, maxLength: 6 })
const key = fc.oneof(
  { weight: 3, arbitrary: word },
  fc.string({ unit: 'grapheme', minLength: 1, maxLength: 12 }),
  // Half a character, nothing, and what JavaScript objects have by themselves.
  fc.constantFrom('\ud800', '', '__proto__', 'constructor', 'ada@corp.example', '@corp.example', '\u2028', '0'),
)
const plan = fc.constantFrom('free', 'pro', 1, true, null)
const user: fc.Arbitrary<FlagContext> = fc.record(
  {
    targetingKey: key,
    email: fc.constantFrom('ada@corp.example', 'ADA@Corp.Example', 'ada@home.example', 'nobody', ''),
    plan: fc.oneof(plan, fc.array(plan, { maxLength: 2 })),
    seat: fc.oneof(fc.integer(), fc.double({ noNaN: true, noDefaultInfinity: true }), word),
  },
  { requiredKeys: [] },
)

const percent = fc.oneof(
  fc.constantFrom(0, 100, 50),
  fc.integer({ min: 0, max: 100_000 }).map((thousandths) => thousandths / 1000),
)
const segmentNames = ['internal', 'paying'] as const
const some = fc.subarray([...segmentNames])
const rollout: fc.Arbitrary<FlagRollout> = fc.record(
  {
    percent,
    unit: fc.constantFrom('targetingKey', 'seat', 'plan'),
    bucketing: fc.record({ salt: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 5 }) }),
    include: some,
    exclude: some,
    variant: fc.constantFrom('on', 'off'),
  },
  { requiredKeys: [] },
)
const booleanFlag: fc.Arbitrary<FlagDefinition> = fc
  .record({
    state: fc.constantFrom('ENABLED' as const, 'ENABLED' as const, 'ENABLED' as const, 'DISABLED' as const),
    defaultVariant: fc.constantFrom('on', 'off', 'off', null),
    rollout: fc.option(rollout, { nil: undefined }),
  })
  .map(({ rollout: share, ...rest }) => ({
    ...rest,
    variants: { on: true, off: false },
    ...(share !== undefined && { rollout: share }),
  }))
const textFlag: FlagDefinition = { state: 'ENABLED', variants: { red: 'r' }, defaultVariant: 'red' }
const flag = fc.oneof({ weight: 9, arbitrary: booleanFlag }, fc.constant(textFlag))
const segment: fc.Arbitrary<FlagSegment> = fc.record(
  {
    targetingKeys: fc.array(key, { maxLength: 3 }).map((keys) => keys.filter((one) => one !== '')),
    emailDomains: fc.constantFrom([], ['corp.example'], ['Home.Example']),
    attributes: fc.record({ plan: fc.constantFrom(['pro'], [1, true], ['1']) }, { requiredKeys: [] }),
  },
  { requiredKeys: [] },
)
const document: fc.Arbitrary<FlagDocument> = fc.record({
  flags: fc.record(
    {
      use_streaming: flag,
      'use_streaming.kill': fc.oneof(
        { weight: 4, arbitrary: fc.constant({ ...textFlag, state: 'DISABLED' as const }) },
        flag,
      ),
      'use_streaming.tool.*': flag,
      'use_streaming.tool.bash': flag,
      'use_streaming.tool.web_search': flag,
    },
    { requiredKeys: ['use_streaming'] },
  ),
  $segments: fc.record({ internal: segment, paying: segment }),
})

const users = fc.array(user, { minLength: 1, maxLength: 4 })

test('same user, same flags: the same decision from every source of ours, also through OpenFeature', async () => {
  const seen: Seen = { decisions: 0, modes: new Set() }
  await fc.assert(
    fc.asyncProperty(document, users, (given, asking) => expectAgreement(given, undefined, asking, seen)),
    { numRuns: 60 },
  )
  // Agreement on one answer would be none.
  expect(seen.decisions).toBeGreaterThan(60)
  expect(seen.modes.size).toBeGreaterThan(6)
})

/** What variables can say, and the flags that they then stand for. */
const said = fc
  .record({
    streaming: fc.oneof(
      fc.constantFrom({ text: 'on', flag: { defaultVariant: 'on' } }, { text: 'off', flag: { defaultVariant: 'off' } }),
      percent.map((share) => ({ text: `${share}%`, flag: { defaultVariant: 'off', rollout: { percent: share } } })),
    ),
    internal: fc.subarray(['u123', 'ada@home.example', '@corp.example']),
    chosen: fc.option(
      fc.record(Object.fromEntries(tools.map((tool) => [tool, fc.constantFrom(true, false, undefined)]))),
      {
        nil: undefined,
      },
    ),
    kill: fc.constantFrom(undefined, undefined, 'on', 'off'),
  })
  .map(({ streaming, internal, chosen, kill }) => {
    const named = Object.entries(chosen ?? {}).filter(([, on]) => on !== undefined)
    const flagOf = (on: unknown): FlagDefinition => ({
      state: 'ENABLED',
      variants: { on: true, off: false },
      defaultVariant: on === true ? 'on' : 'off',
    })
    const isShare = 'rollout' in streaming.flag && internal.length > 0
    const flags: Record<string, FlagDefinition> = {
      use_streaming: {
        ...flagOf(false),
        ...streaming.flag,
        ...(isShare && { rollout: { ...streaming.flag.rollout, include: ['internal'] } }),
      },
      ...(named.length > 0 && { 'use_streaming.tool.*': flagOf(!named.some(([, on]) => on === true)) }),
      ...Object.fromEntries(named.map(([tool, on]) => [`use_streaming.tool.${tool}`, flagOf(on)])),
      ...(kill !== undefined && { 'use_streaming.kill': flagOf(kill === 'on') }),
    }
    const keys = internal.filter((item) => !item.startsWith('@'))
    const addresses = keys.filter((item) => item.includes('@'))
    const segments = {
      internal: {
        targetingKeys: keys,
        emailDomains: internal.filter((item) => item.startsWith('@')).map((item) => item.slice(1)),
        attributes: { email: addresses },
      },
    }
    const env: Record<string, string> = {
      MILLRACE_STREAMING: streaming.text,
      MILLRACE_STREAMING_INTERNAL: internal.join(', '),
      MILLRACE_STREAMING_TOOLS: named.map(([tool, on]) => (on === true ? tool : `!${tool}`)).join(),
      ...(kill !== undefined && { MILLRACE_STREAMING_KILL: kill }),
    }
    return { document: { flags, $segments: segments }, env }
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
    fc.asyncProperty(said, asking, (flags, askers) => expectAgreement(flags.document, flags.env, askers, seen)),
    { numRuns: 60 },
  )
  expect(seen.modes.size).toBeGreaterThan(6)
})

test('1,000 users: another process decides the same, from every source', async () => {
  const [paths, address] = [await writeFiles(exampleFlags), await server.put(exampleFlags)]
  const child = promisify(execFile)(process.execPath, [...programArguments('flag-child.ts'), address, ...paths], {
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
