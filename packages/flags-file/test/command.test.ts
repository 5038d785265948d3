import { execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { chmod, lstat, mkdir, open, readdir, readFile, stat, symlink, writeFile } from 'node:fs/promises'
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

  it('reports what is wrong, and where, for every file', async () => {
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

  it('checks the other files if one cannot be read', async () => {
    const [none, one] = [join(await makeFolder(), 'none.json'), await file('one.json', '{"flags":{"a":{}}}')]
    const { code, err } = await run('validate', none, one)
    expect(code).toBe(1)
    expect(err.split('\n')).toEqual([
      `${none}: error: the file does not exist`,
      expect.stringMatching(/one\.json:1:11: error: /),
      expect.stringMatching(/one\.json:1:11: error: /),
    ])
  })

  it('warns about a misspelt flag of Millrace, and about one that is not boolean', async () => {
    const flag = { state: 'ENABLED', variants: { red: 'r' }, defaultVariant: 'red' }
    const path = await file(
      'a.json',
      JSON.stringify({ flags: { use_streming: flag, use_streaming: flag, theme: flag } }),
    )
    const { code, out, err } = await run('validate', path)
    expect({ code, out }).toEqual({ code: 0, out: `${path}: 3 flags, valid` })
    expect(err).toContain('warning: $.flags.use_streming: is not a flag of Millrace, which reads use_streaming')
    expect(err).toContain('warning: $.flags.use_streaming.variants: must be true and false')
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
  ])('with %j says: %s', async (args, decision, reason) => {
    const { code, out } = await run('explain', await file('flags.yml', people), ...args)
    expect(code).toBe(0)
    expect(out.split('\n').at(-1)).toBe(decision)
    expect(out).toContain(reason)
  })

  it('says that the kill switch is on', async () => {
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
  it('creates a file that does not exist', async () => {
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

  it('keeps comments, order and unknown keys of YAML, and quotes on and off', async () => {
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

  it('keeps indentation and unknown keys of JSON, with flags in a list too', async () => {
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

  it('changes the flag of a tool, segments, unit and salt', async () => {
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

  it('replaces the target of a link, keeps permissions, and leaves no draft', async () => {
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

  it('adds no error to a file, and does not change an unreadable one', async () => {
    for (const [text, args, message] of [
      [yamlOf(true), ['10%', '--include', 'nobody'], 'must name a segment'],
      [yamlOf(true), ['100.5%'], 'from 0 to 100'],
      ['flags: [', ['on'], 'the file is invalid'],
    ] as const) {
      const path = await file('flags.yaml', text)
      expect(await run('set', path, ...args)).toMatchObject({ code: 1, err: expect.stringContaining(message) })
      expect(await readFile(path, 'utf8')).toBe(text)
    }
  })
})

describe('with a file that has an invalid flag', () => {
  const broken = `flags:
  theme: # of another team
    state: ENABLED
    variants: { light: "l" }
    defaultVariant: dark
  use_streaming:
    state: ENABLED
    variants: { "on": true, "off": false }
    defaultVariant: "off"
`
  it('validate reports it and fails', async () => {
    const path = await file('flags.yaml', broken)
    expect(await run('validate', path)).toMatchObject({
      code: 1,
      out: '',
      err: expect.stringContaining('must name a variant'),
    })
  })

  it('explain shows what the other flags decide', async () => {
    const path = await file('flags.yaml', broken)
    const { code, out, err } = await run('explain', path)
    expect(code).toBe(0)
    expect(out).toContain('decision: the run does not stream')
    expect(err).toBe(`${path}:5:5: error: $.flags.theme.defaultVariant: must name a variant of this flag`)
  })

  it.each(['flags.yaml', 'flags.json'])('set changes another flag of %s, and reports the error', async (name) => {
    const path = await file(name, name.endsWith('yaml') ? broken : JSON.stringify(parse(broken)))
    for (const [value, flag] of [
      ['kill', 'use_streaming.kill'],
      ['on', 'use_streaming'],
    ] as const) {
      const { code, out, err } = await run('set', path, value)
      expect({ code, err }).toEqual({ code: 0, err: expect.stringContaining('$.flags.theme.defaultVariant') })
      expect(out).toContain(`${flag} is set to on`)
      expect(parse(await readFile(path, 'utf8'))).toMatchObject({
        flags: { theme: { defaultVariant: 'dark' }, [flag]: { defaultVariant: 'on' } },
      })
    }
  })

  it('set does not change the flag itself', async () => {
    const path = await file('flags.yaml', broken)
    expect(await run('set', path, 'on', '--flag', 'theme')).toMatchObject({
      code: 1,
      err: expect.stringContaining('flag "theme" is invalid: correct it before you change it'),
    })
    expect(await readFile(path, 'utf8')).toBe(broken)
  })

  it.each([
    [
      'flags.yaml',
      'flags:\n  use_streaming.kill: { state: on, extra: 1 }\n  a: { state: ENABLED, variants: { x: 1 } }\n',
    ],
    [
      'flags.yaml',
      'flags:\n  - { key: use_streaming.kill, state: on }\n  - { key: a, state: ENABLED, variants: { x: 1 } }\n',
    ],
    ['flags.json', '{"flags": {"use_streaming.kill": 1, "a": {"state": "ENABLED", "variants": {"x": 1}}}}'],
    [
      'flags.json',
      '{"flags": [{"key": "use_streaming.kill"}, {"key": "a", "state": "ENABLED", "variants": {"x": 1}}]}',
    ],
  ])('set replaces an invalid kill switch of %s', async (name, text) => {
    const path = await file(name, text)
    expect((await run('explain', path)).out).toContain('decision: no run streams, the kill switch is on')
    expect(await run('set', path, 'unkill')).toMatchObject({ code: 0, err: '' })
    expect(await run('validate', path)).toMatchObject({ code: 0, out: `${path}: 2 flags, valid` })
    expect((await run('explain', path)).out).toContain('decision: the run does not stream')
  })
})

describe('with a file that cannot be read or written', () => {
  it('set names the folder that is missing, and no file of its own', async () => {
    const folder = join(await makeFolder(), 'nope')
    expect(await run('set', join(folder, 'flags.yaml'), 'on')).toEqual({
      code: 1,
      out: '',
      err: `millrace-flags: cannot write "${folder}/flags.yaml": the folder "${folder}" does not exist`,
    })
  })

  it.each([
    ['explain', 'the file does not exist'],
    ['validate', 'the file does not exist'],
  ])('%s says that it does not exist', async (command, reason) => {
    const path = join(await makeFolder(), 'flags.yaml')
    const { code, err } = await run(command, path)
    expect({ code, err }).toEqual({ code: 1, err: expect.stringContaining(path) })
    expect(err).toContain(reason)
  })

  it.each([
    ['explain', []],
    ['validate', []],
    ['set', ['on']],
  ])('%s says that it is a folder, or not UTF-8', async (command, rest) => {
    const folder = join(await makeFolder(), 'folder.yaml')
    await mkdir(folder)
    expect(await run(command, folder, ...rest)).toMatchObject({ code: 1, err: expect.stringContaining('(EISDIR)') })
    expect((await run(command, folder, ...rest)).err).toContain(folder)
    const path = join(folder, 'flags.yaml')
    await writeFile(path, Buffer.from([0x66, 0xff]))
    expect(await run(command, path, ...rest)).toMatchObject({
      code: 1,
      err: expect.stringContaining('the file is not UTF-8'),
    })
    expect(await readdir(folder)).toEqual(['flags.yaml'])
  })
})

it.each([
  [[], 'a command is missing'],
  [['frobnicate'], 'unknown command "frobnicate"\n'],
  [['validate'], 'validate needs a file'],
  [['explain'], 'explain needs one file'],
  [['explain', 'a.json', '--attr', 'x'], '--attr must be'],
  [['set', 'a.json'], 'a file and a value'],
  [['set', 'a.json', '10'], 'a percentage such as 10%'],
  [['set', 'a.json', 'kill', '--tool', 'bash'], 'no further options'],
  [['set', 'a.json', 'on', '--tool', 'a', '--flag', 'b'], 'one flag'],
  [['set', 'a.txt', 'on'], 'must end in'],
  [['validate', 'a.json', '--user', 'u1'], 'validate does not take the option "--user"'],
  [['explain', 'a.json', '--flag', 'a'], 'explain does not take the option "--flag"'],
  [['set', 'a.json', 'on', '--user', 'u1'], 'set does not take the option "--user"'],
  [['validate', 'a.json', '--format', 'toml'], '--format must be'],
  [['validate', '--colour'], 'unknown option "--colour"\n'],
  [['explain', 'a.json', '--usr', 'u1'], 'unknown option "--usr"; did you mean "--user"?'],
  [['explian', 'a.json'], 'unknown command "explian"; did you mean "explain"?'],
  [['set', 'a.json', 'on', '--tool', 'bad name!'], '--tool must be the name of a tool'],
  [['set', 'a.json', 'on', '--tool'], "Option '--tool <value>' argument missing"],
])('says what is wrong with %j', async (args, message) => {
  const { code, err } = await run(...args)
  expect(code).toBe(2)
  expect(err).toContain(message)
  expect(err).toContain('--help')
})

it('shows its help, and reports a missing file', async () => {
  expect(await run('--help')).toMatchObject({ code: 0, out: expect.stringContaining('millrace-flags validate') })
  expect(await run('validate', join(await makeFolder(), 'none.json'))).toMatchObject({
    code: 1,
    err: expect.stringContaining('the file does not exist'),
  })
})

const program = fileURLToPath(new URL('../src/bin.ts', import.meta.url))
const node = ['--conditions=millrace-source', program]

it('runs as a program', async () => {
  const path = await file('flags.json', jsonOf(true))
  const start = (...args: string[]) => promisify(execFile)(process.execPath, [...node, ...args])
  expect(await start('set', path, 'kill')).toMatchObject({
    stdout: `${path}: use_streaming.kill is set to on: no run streams\n`,
  })
  expect(await start('set', path, 'unkill')).toMatchObject({ stdout: `${path}: use_streaming.kill is set to off\n` })
  await expect(start('set', path, 'perhaps')).rejects.toMatchObject({ code: 2, stdout: '' })
})

/** Runs the program with the reading ends of its output closed, as `| head` leaves them. */
async function runUnread(closed: 'stdout' | 'stderr', ...args: string[]): Promise<{ code: unknown; other: string }> {
  const child = spawn(process.execPath, [...node, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  child[closed].destroy()
  let other = ''
  const open = closed === 'stdout' ? child.stderr : child.stdout
  open.setEncoding('utf8').on('data', (text: string) => (other += text))
  const [code]: unknown[] = await once(child, 'close')
  return { code, other }
}

describe('with its output closed', () => {
  it.each(['--help', 'validate', 'explain'])('%s ends without an error', async (command) => {
    expect(await runUnread('stdout', command, await file('flags.json', jsonOf(true)))).toEqual({ code: 0, other: '' })
  })

  it('set still changes the file', async () => {
    const path = await file('flags.json', jsonOf(true))
    expect(await runUnread('stdout', 'set', path, 'kill')).toEqual({ code: 0, other: '' })
    expect(JSON.parse(await readFile(path, 'utf8'))).toMatchObject({
      flags: { 'use_streaming.kill': { defaultVariant: 'on' } },
    })
  })

  it('keeps the exit code of a file with an error, and of wrong arguments', async () => {
    expect(await runUnread('stderr', 'validate', await file('flags.json', '{}'))).toEqual({ code: 1, other: '' })
    expect(await runUnread('stderr', 'explian')).toEqual({ code: 2, other: '' })
  })
})

it('fails if its output cannot be written', async () => {
  const readOnly = await open(await file('flags.json', jsonOf(true)), 'r')
  try {
    const child = spawn(process.execPath, [...node, '--help'], { stdio: ['ignore', readOnly.fd, 'pipe'] })
    let text = ''
    child.stderr?.setEncoding('utf8').on('data', (piece: string) => (text += piece))
    expect(await once(child, 'close')).toEqual([1, null])
    expect(text).toBe('millrace-flags: cannot write: bad file descriptor (EBADF)\n')
  } finally {
    await readOnly.close()
  }
})
