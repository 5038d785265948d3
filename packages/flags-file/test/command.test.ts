import { execFile } from 'node:child_process'
import { chmod, lstat, mkdir, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { parse } from 'yaml'
import { runCommand } from '../src/command.ts'
import { makeFolder } from './support/folder.ts'
import { jsonOf, yamlOf } from './support/texts.ts'

async function run(...args: string[]): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = []
  const err: string[] = []
  const code = await runCommand(args, {
    out: (line) => out.push(line),
    err: (line) => err.push(line),
    newId: () => 'id',
  })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

async function file(name: string, text: string): Promise<string> {
  const path = join(await makeFolder(), name)
  await writeFile(path, text)
  return path
}

const people = `flags:
  use_streaming:
    state: ENABLED
    variants: { "on": true, "off": false }
    defaultVariant: "off"
    rollout: { percent: 10, include: [staff] }
  use_streaming.tool.*:
    state: ENABLED
    variants: { "on": true, "off": false }
    defaultVariant: "off"
$segments:
  staff: { attributes: { team: [core] } }
`

describe('validate', () => {
  it('accepts a file', async () => {
    const path = await file('flags.yaml', people)
    expect(await run('validate', path)).toEqual({ code: 0, out: `${path}: 2 flags, valid`, err: '' })
  })

  it('says what is wrong, where, for every file', async () => {
    const bad = await file(
      'bad.json',
      '{\n  "flags": {\n    "a": { "state": "on", "variants": { "on": true } }\n  }\n}',
    )
    const good = await file('good.json', jsonOf(true))
    const { code, out, err } = await run('validate', bad, good)
    expect(code).toBe(1)
    expect(err).toBe(`${bad}:3:12: error: $.flags.a.state: must be "ENABLED" or "DISABLED", not a string`)
    expect(out).toBe(`${good}: 2 flags, valid`)
  })

  it('goes on behind a file that cannot be read', async () => {
    const [none, one] = [join(await makeFolder(), 'none.json'), await file('one.json', '{"flags":{"a":{}}}')]
    const { code, err } = await run('validate', none, one)
    expect(code).toBe(1)
    expect(err.split('\n')).toEqual([
      expect.stringMatching(/none\.json: error: ENOENT/),
      expect.stringMatching(/one\.json:1:11: error: /),
      expect.stringMatching(/one\.json:1:11: error: /),
    ])
  })

  it('warns of a misspelt flag of Millrace, and of one that is no switch', async () => {
    const flag = { state: 'ENABLED', variants: { red: 'r' }, defaultVariant: 'red' }
    const path = await file(
      'a.json',
      JSON.stringify({ flags: { use_streming: flag, use_streaming: flag, theme: flag } }),
    )
    const { code, out, err } = await run('validate', path)
    expect({ code, out }).toEqual({ code: 0, out: `${path}: 3 flags, valid` })
    expect(err).toContain('warning: $.flags.use_streming: is no flag of Millrace, which reads use_streaming')
    expect(err).toContain('warning: $.flags.use_streaming.variants: are not true and false')
    expect(err.split('\n')).toHaveLength(2)
  })

  it('checks targeting as flagd does', async () => {
    const targeting = { if: [{ $ref: 'nobody' }, 'on', 'off'] }
    const path = await file(
      'a.json',
      JSON.stringify({ flags: { a: { state: 'ENABLED', variants: { on: true, off: false }, targeting } } }),
    )
    expect(await run('validate', path)).toMatchObject({ code: 1, err: expect.stringContaining('refers to "nobody"') })
  })
})

describe('explain', () => {
  it.each([
    [['--user', 'user-2'], 'decision: the run does not stream', 'bucket: 71.875, which is beyond 10%'],
    [
      ['--user', 'user-2', '--attr', 'team=core', '--tool', 'bash'],
      'decision: the run streams; bash does not',
      'rule of use_streaming.tool.*: off',
    ],
    [[], 'decision: the run does not stream', 'error TARGETING_KEY_MISSING'],
    [['--user', 'user-2'], 'decision: the run does not stream', 'use_streaming.kill: not in this file'],
  ])('%j: %s', async (args, decision, reason) => {
    const { code, out } = await run('explain', await file('flags.yml', people), ...args)
    expect(code).toBe(0)
    expect(out.split('\n').at(-1)).toBe(decision)
    expect(out).toContain(reason)
  })

  it('says that all is killed', async () => {
    const path = await file('flags.json', jsonOf(true))
    expect((await run('explain', path)).out).toContain('decision: the run streams')
    expect((await run('set', path, 'kill')).code).toBe(0)
    expect((await run('explain', path)).out).toContain('decision: no run streams, the kill switch is on')
  })

  it('refuses an invalid file', async () => {
    expect(await run('explain', await file('flags.json', '{}'))).toMatchObject({
      code: 1,
      err: expect.stringContaining('$.flags: is missing'),
    })
  })
})

describe('set', () => {
  it('makes a file that does not exist', async () => {
    for (const name of ['flags.json', 'flags.yaml']) {
      const path = join(await makeFolder(), name)
      expect(await run('set', path, '2.5%')).toMatchObject({ code: 0, out: `${path}: use_streaming is set to 2.5%` })
      expect((await stat(path)).mode & 0o777).toBe(0o644)
      expect(parse(await readFile(path, 'utf8'))).toMatchObject({
        flags: { use_streaming: { rollout: { percent: 2.5 } } },
      })
      expect((await run('validate', path)).code).toBe(0)
    }
  })

  it('keeps the comments, the order and the unknown of YAML, and writes no bare on or off', async () => {
    const before = `# top
flags:
  # left alone
  other:
    state: DISABLED
    variants: { a: "1" }
  use_streaming:
    owner: chat # mine
    state: ENABLED # live
    variants:
      "on": true
      "off": false
    defaultVariant: "off"
    rollout:
      percent: 5 # beta
      include: [ staff ]
$segments:
  staff: { targetingKeys: [ a ] }
`
    const path = await file('flags.yaml', before)
    expect((await run('set', path, '10%')).code).toBe(0)
    expect(await readFile(path, 'utf8')).toBe(
      before.replace('percent: 5 #', 'percent: 10 #').replace('[ staff ]', '[ staff ]\n      variant: "on"'),
    )
    expect((await run('set', path, 'off')).code).toBe(0)
    const text = await readFile(path, 'utf8')
    expect(parse(text)).toMatchObject({ flags: { use_streaming: { rollout: { percent: 0, variant: 'on' } } } })
    expect(text).not.toContain('include')
    expect((await run('set', path, 'kill')).code).toBe(0)
    expect(parse(await readFile(path, 'utf8'), { version: '1.1' })).toMatchObject({
      flags: { 'use_streaming.kill': { variants: { on: true, off: false }, defaultVariant: 'on' } },
    })
  })

  it('keeps the indentation and the unknown of JSON, in both of its forms', async () => {
    const path = await file(
      'flags.json',
      `{\n\t"flags": [\n\t\t{ "key": "use_streaming", "owner": "chat", "state": "ENABLED", "variants": { "on": true, "off": false } }\n\t]\n}`,
    )
    expect((await run('set', path, 'on')).code).toBe(0)
    expect((await run('set', path, 'kill')).code).toBe(0)
    const text = await readFile(path, 'utf8')
    expect(text).toContain('\n\t\t\t"owner": "chat"')
    expect(JSON.parse(text)).toMatchObject({
      flags: [
        { key: 'use_streaming', defaultVariant: 'on' },
        { key: 'use_streaming.kill', defaultVariant: 'on' },
      ],
    })
  })

  it('changes a tool, a segment list, unit and salt', async () => {
    const path = await file('flags.yaml', people)
    expect((await run('set', path, 'on', '--tool', 'bash')).code).toBe(0)
    expect((await run('set', path, '20%', '--exclude', 'staff', '--unit', 'team', '--salt', 'x')).code).toBe(0)
    expect(parse(await readFile(path, 'utf8'))).toMatchObject({
      flags: {
        use_streaming: { rollout: { percent: 20, exclude: ['staff'], unit: 'team', bucketing: { salt: 'x' } } },
        'use_streaming.tool.bash': { defaultVariant: 'on' },
      },
    })
  })

  it('replaces what a link leads to, keeps permissions, and leaves no draft', async () => {
    const folder = await makeFolder()
    await mkdir(join(folder, 'real'))
    await writeFile(join(folder, 'real', 'flags.json'), jsonOf(false))
    await chmod(join(folder, 'real', 'flags.json'), 0o640)
    await symlink('real/flags.json', join(folder, 'flags.json'))
    expect((await run('set', join(folder, 'flags.json'), '100%')).code).toBe(0)
    expect((await lstat(join(folder, 'flags.json'))).isSymbolicLink()).toBe(true)
    expect((await stat(join(folder, 'real', 'flags.json'))).mode & 0o777).toBe(0o640)
    expect(await readdir(join(folder, 'real'))).toEqual(['flags.json'])
  })

  it('writes nothing that would be refused, and over nothing that is', async () => {
    for (const [text, args, message] of [
      [yamlOf(true), ['10%', '--include', 'nobody'], 'names no segment'],
      [yamlOf(true), ['100.5%'], 'from 0 to 100'],
      ['flags: [', ['on'], 'the file is invalid'],
    ] as const) {
      const path = await file('flags.yaml', text)
      expect(await run('set', path, ...args)).toMatchObject({ code: 1, err: expect.stringContaining(message) })
      expect(await readFile(path, 'utf8')).toBe(text)
    }
  })
})

it.each([
  [[], 'a command is missing'],
  [['frobnicate'], 'no command "frobnicate"'],
  [['validate'], 'validate needs a file'],
  [['explain'], 'explain needs one file'],
  [['explain', 'a.json', '--attr', 'x'], '--attr must be'],
  [['set', 'a.json'], 'a file and a value'],
  [['set', 'a.json', '10'], 'a percentage such as 10%'],
  [['set', 'a.json', 'kill', '--tool', 'bash'], 'no further options'],
  [['set', 'a.json', 'on', '--tool', 'a', '--flag', 'b'], 'one flag'],
  [['set', 'a.txt', 'on'], 'must end in'],
  [['validate', 'a.json', '--format', 'toml'], '--format must be'],
  [['validate', '--colour'], 'there is no option --colour\n'],
  [['explain', 'a.json', '--usr', 'u1'], 'there is no option --usr: did you mean --user?'],
  [['explian', 'a.json'], 'there is no command "explian": did you mean explain?'],
  [['set', 'a.json', 'on', '--tool', 'bad name!'], '--tool must be the name of a tool'],
  [['set', 'a.json', 'on', '--tool'], "Option '--tool <value>' argument missing"],
])('says how %j is wrong', async (args, message) => {
  const { code, err } = await run(...args)
  expect(code).toBe(2)
  expect(err).toContain(message)
  expect(err).toContain('--help')
})

it('explains itself, and a file that is not there', async () => {
  expect(await run('--help')).toMatchObject({ code: 0, out: expect.stringContaining('millrace-flags validate') })
  expect(await run('validate', join(await makeFolder(), 'none.json'))).toMatchObject({
    code: 1,
    err: expect.stringContaining('ENOENT'),
  })
})

it('is a program', async () => {
  const path = await file('flags.json', jsonOf(true))
  const program = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
  const start = (...args: string[]) =>
    promisify(execFile)(process.execPath, ['--conditions=millrace-source', program, ...args])
  expect(await start('set', path, 'kill')).toMatchObject({ stdout: `${path}: use_streaming.kill is set to kill\n` })
  await expect(start('set', path, 'perhaps')).rejects.toMatchObject({ code: 2, stdout: '' })
})
