import { describe, expect, it } from 'vitest'
import { runCommand } from '../src/bin/command.ts'
import { createRolloutHandler } from '../src/http/index.ts'
import { readPlan, twoWeekPlan } from '../src/index.ts'
import { createWorld } from './instances.ts'
import { shortPlan } from './plans.ts'

interface Ran {
  readonly code: number
  readonly out: string
  readonly err: string
  readonly files: ReadonlyMap<string, string>
}

interface Given {
  readonly files?: Readonly<Record<string, string>>
  readonly answers?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>
}

async function run(args: readonly string[], given: Given = {}): Promise<Ran> {
  const files = new Map(Object.entries(given.files ?? {}))
  const answers = [...(given.answers ?? [])]
  const out: string[] = []
  const err: string[] = []
  const code = await runCommand(args, {
    out: (line) => void out.push(line),
    err: (line) => void err.push(line),
    ask: async () => answers.shift() ?? '',
    env: given.env ?? {},
    async readFile(path) {
      const text = files.get(path)
      if (text === undefined) throw new Error(`ENOENT: no such file, open '${path}'`)
      return text
    },
    async writeNewFile(path, text) {
      if (files.has(path)) throw new Error(`EEXIST: file already exists, open '${path}'`)
      files.set(path, text)
    },
    fetch: given.fetch ?? (() => Promise.reject(new Error('no network'))),
  })
  return { code, out: out.join('\n'), err: err.join('\n'), files }
}

const plan = { 'plan.json': JSON.stringify(shortPlan()) }

describe('init', () => {
  it('asks, and writes a plan that starts from the baseline', async () => {
    const baseline = JSON.stringify({ format: 'millrace-baseline', gates: { latency: { p95Ms: 8123.4, n: 500 } } })
    const { code, files } = await run(['init', 'new.json'], {
      answers: ['chat', 'session', 'base.json'],
      files: { 'base.json': baseline },
    })
    expect(code).toBe(0)
    const written = readPlan(JSON.parse(files.get('new.json') ?? ''))
    expect(written).toMatchObject({ name: 'chat', unit: 'session' })
    expect(written.gates).toContainEqual({ metric: 'slow_run', maxRatio: 1, above: 8124 })
  })

  it('keeps a file that exists', async () => {
    const { code, err } = await run(['init', 'plan.json', '--name', 'a', '--unit', 'user', '--baseline', ''], {
      files: plan,
    })
    expect({ code, err }).toEqual({ code: 1, err: "EEXIST: file already exists, open 'plan.json'" })
  })

  it('refuses a file that is no baseline', async () => {
    const { code, err } = await run(['init', 'new.json', '--name', 'a', '--unit', 'user', '--baseline', 'b'], {
      files: { b: '{}' },
    })
    expect(code).toBe(2)
    expect(err).toContain('"b" is not a baseline with a latency; write one with millrace-parity baseline --out')
  })
})

describe('plan', () => {
  it('explains a plan in words', async () => {
    const two = JSON.stringify(twoWeekPlan({ name: 'chat', unit: 'user', baselineP95: 9000 }))
    const { code, out } = await run(['plan', 'p'], { files: { p: two } })
    expect(code).toBe(0)
    expect(out).toContain('"chat" rolls out the flag "use_streaming" in 6 stages, 13d at the least.')
    expect(out).toMatch(/beta +█░+ +5 % and segment "internal" +3d to 10d/)
    expect(out).toContain('  - slow runs come more often than in the control group')
  })

  it.each([
    [{ p: '{' }, '"p" is not JSON'],
    [{ p: '{"version":1,"nmae":"x"}' }, 'p: unknown option "nmae"; did you mean "name"?'],
    [{}, "ENOENT: no such file, open 'p'"],
  ])('says what is wrong with %j', async (files, err) => {
    expect(await run(['plan', 'p'], { files })).toMatchObject({ code: 1, err })
  })
})

describe('simulate', () => {
  it('draws how many rollouts reach each stage, and writes an SVG', async () => {
    const args = [
      'simulate',
      'plan.json',
      '--rollouts',
      '1',
      '--runs-per-day',
      '600',
      '--users',
      '2000',
      '--svg',
      'p.svg',
    ]
    const { code, out, files } = await run(args, { files: plan })
    expect(code).toBe(0)
    expect(out).toMatch(/no difference: \d+ % finish/)
    expect(out).toMatch(/ {2}beta +5 % +█{20} {2}100 %/)
    expect(files.get('p.svg')).toMatch(/^<svg [\s\S]*failed runs 2 % → 10 %[\s\S]*<\/svg>\n$/)
  })
})

describe('steering an application', () => {
  function application() {
    const { instance } = createWorld()
    const { rollout } = instance()
    const handler = createRolloutHandler({
      rollout,
      authorize: (request) => request.headers.get('authorization') === 'Bearer secret',
    })
    return (url: string, init: RequestInit) => handler(new Request(url, init))
  }
  const env = { MILLRACE_ROLLOUT_URL: 'http://app.test/rollout', MILLRACE_ROLLOUT_TOKEN: 'secret' }

  it('starts, holds, resumes and rolls back, and draws the status', async () => {
    const fetch = application()
    const say = (...args: string[]) => run([...args, '--reason', 'ready'], { env, fetch })
    expect((await say('start')).out).toBe('started: draft → beta, 5 % stream')
    expect((await say('hold')).out).toBe('held: beta → beta, 5 % stream')
    expect((await say('resume', '--stage', 'quarter')).out).toBe('resumed: beta → quarter, 25 % stream')
    const { out } = await run(['status'], { env, fetch })
    expect(out).toContain('short: running, 25 % stream\nbeta → [quarter] → half')
    expect(out).toContain('exposure  █████░░░░░░░░░░░░░░░ 25 %')
    expect(out).toMatch(
      /failed runs, at most 1 times the control group: 0 of 0 stream, 0 of 0 in the control group\n {2}harm {4}░{20} 1 of 120/,
    )
    expect((await say('rollback')).out).toBe('rolled back: quarter → rolled_back, 0 % stream')
    expect(await say('hold')).toMatchObject({
      code: 1,
      err: expect.stringContaining('answered 409: cannot hold a rollout that is rolled back'),
    })
  })

  it.each([
    [['status'], {}, 2, 'the URL of the rollout is missing: give --url or MILLRACE_ROLLOUT_URL'],
    [['promote', '--url', 'http://app.test/rollout'], {}, 2, 'promote needs --reason TEXT, for the log'],
    [['status', '--url', 'http://app.test/rollout'], {}, 1, 'cannot reach http://app.test/rollout'],
    [['statsu'], {}, 2, 'unknown command "statsu"; did you mean "status"?'],
    [['status', '--jsno'], {}, 2, 'unknown option "--jsno"; did you mean "--json"?'],
    [['simulate', 'plan.json', '--rollouts', 'many'], {}, 2, '--rollouts must be a whole number above 0, not "many"'],
    [[], {}, 2, 'a command is missing'],
  ])('answers %j by a clear error', async (args, given, code, message) => {
    const result = await run(args, { files: plan, ...given })
    expect(result.code).toBe(code)
    expect(result.err).toContain(message)
  })

  it('says that it is not allowed without the token', async () => {
    const { code, err } = await run(['status', '--url', 'http://app.test/rollout'], { fetch: application() })
    expect({ code, err }).toEqual({ code: 1, err: 'http://app.test/rollout answered 403: not allowed' })
  })
})
