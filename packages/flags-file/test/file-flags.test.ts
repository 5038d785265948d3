import type { FlagSource, FlagSourceEvent } from '@millrace/flags'
import { flagdTargeting } from '@millrace/flags/flagd'
import { manualClock } from '@millrace/testing/async'
import { OpenFeature } from '@openfeature/server-sdk'
import { execFile } from 'node:child_process'
import { mkdir, rename, rm, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterEach, describe, expect, it } from 'vitest'
import { followFlags } from '../src/file-flags.ts'
import { fileFlags, type FileFlagsOptions } from '../src/index.ts'
import { fileProvider } from '../src/openfeature.ts'
import { makeFolder } from './support/folder.ts'
import { jsonOf, yamlOf } from './support/texts.ts'

const open: FlagSource[] = []
afterEach(async () => {
  await Promise.all(open.splice(0).map((source) => source.close()))
})

/** The real clock and the real watch. No poll comes in time: what is seen is seen by notification. */
function watching(path: string, options: Partial<FileFlagsOptions> = {}): FlagSource {
  const source = fileFlags({ path, poll: 3_600_000, settle: 20, ...options })
  open.push(source)
  return source
}

function next(source: FlagSource, type: FlagSourceEvent['type']): Promise<FlagSourceEvent> {
  return new Promise((resolve) => {
    const leave = source.onChange((event) => {
      if (event.type !== type) return
      leave()
      resolve(event)
    })
  })
}

const streams = async (source: FlagSource): Promise<boolean> =>
  (await source.getBooleanDetails('use_streaming', false)).value

describe('on the real file system', () => {
  it('notices an atomic rename', async () => {
    const folder = await makeFolder()
    const path = join(folder, 'flags.json')
    await writeFile(path, jsonOf(false))
    const source = watching(path)
    await source.ready()
    const changed = next(source, 'changed')
    await writeFile(join(folder, 'draft'), jsonOf(true))
    await rename(join(folder, 'draft'), path)
    expect(await changed).toEqual({ type: 'changed', flags: ['use_streaming'] })
    expect(await streams(source)).toBe(true)
  })

  it('notices a file that is written in place, and one that appears', async () => {
    const path = join(await makeFolder(), 'sub', 'flags.yaml')
    const source = watching(path)
    await expect(source.ready()).rejects.toThrow('does not exist')
    const ready = next(source, 'ready')
    await mkdir(join(path, '..'))
    await writeFile(path, yamlOf(false))
    await ready
    const changed = next(source, 'changed')
    await writeFile(path, yamlOf(true))
    await changed
    expect(await streams(source)).toBe(true)
  })

  it("notices the swap of Kubernetes' links", async () => {
    const folder = await makeFolder()
    const mount = async (version: string, text: string): Promise<void> => {
      await mkdir(join(folder, version))
      await writeFile(join(folder, version, 'flags.json'), text)
      await symlink(version, join(folder, '..data_tmp'))
      await rename(join(folder, '..data_tmp'), join(folder, '..data'))
    }
    await mount('..1', jsonOf(false))
    await symlink('..data/flags.json', join(folder, 'flags.json'))
    const source = watching(join(folder, 'flags.json'))
    await source.ready()
    for (const [version, on] of [
      ['..2', true],
      ['..3', false],
    ] as const) {
      const changed = next(source, 'changed')
      await mount(version, jsonOf(on))
      await changed
      expect(await streams(source)).toBe(on)
    }
  })

  it('notices the swap of a link further up', async () => {
    const folder = await makeFolder()
    for (const [release, on] of [
      ['1', false],
      ['2', true],
    ] as const) {
      await mkdir(join(folder, release))
      await writeFile(join(folder, release, 'flags.json'), jsonOf(on))
    }
    await symlink(join(folder, '1'), join(folder, 'current'))
    const source = watching(join(folder, 'current', 'flags.json'))
    await source.ready()
    const changed = next(source, 'changed')
    await symlink('2', join(folder, 'next'))
    await rename(join(folder, 'next'), join(folder, 'current'))
    await changed
    expect(await streams(source)).toBe(true)
  })
})

describe('with a good file before', () => {
  it.each([
    ['an emptied file', '', 'invalid'],
    ['a file without flags', '{"flags": {}}', 'emptied'],
    [
      'a file without the kill switch',
      '{"flags": {"other": {"state": "ENABLED", "variants": {"on": true}}}}',
      'dropped',
    ],
    ['a broken file', '{"flags": {', 'invalid'],
    ['bytes that are not UTF-8', Buffer.from([0x7b, 0xff]), 'unreachable'],
    ['a file that is too large', ' '.repeat(5000), 'unreachable'],
  ])('refuses %s, and keeps the good one', async (_, text, code) => {
    const path = join(await makeFolder(), 'flags.json')
    await writeFile(path, jsonOf(true))
    const source = watching(path, { maxBytes: 4096 })
    await source.ready()
    const failed = next(source, 'failed')
    await writeFile(path, text)
    expect(await failed).toMatchObject({ problem: { code } })
    expect(await streams(source)).toBe(true)
    const recovered = next(source, 'recovered')
    await writeFile(path, jsonOf(true))
    await recovered
  })

  it.each([
    ['is deleted', (path: string) => rm(path), 'the file: it does not exist'],
    [
      'becomes a folder',
      async (path: string) => {
        await rm(path)
        await mkdir(path)
      },
      'the file: it is not a file',
    ],
    [
      'becomes a pipe',
      async (path: string) => {
        await rm(path)
        await promisify(execFile)('mkfifo', [path])
      },
      'the file: it is not a file',
    ],
    [
      'leads nowhere',
      async (path: string) => {
        await rm(path)
        await symlink('nowhere', path)
      },
      'the file: it does not exist',
    ],
    [
      'leads to itself',
      async (path: string) => {
        await rm(path)
        await symlink(path, path)
      },
      'the file: it could not be read (ELOOP)',
    ],
  ] as const)('keeps the good file when it %s', async (_, change, message) => {
    const path = join(await makeFolder(), 'flags.json')
    await writeFile(path, jsonOf(true))
    const source = watching(path)
    await source.ready()
    const failed = next(source, 'failed')
    await change(path)
    expect(await failed).toMatchObject({ problem: { code: 'unreachable', message } })
    expect(await streams(source)).toBe(true)
  })
})

it('accepts a flagd file in which one flag has a dangling reference', async () => {
  const path = join(await makeFolder(), 'flags.json')
  const flag = { state: 'ENABLED', variants: { on: true, off: false }, defaultVariant: 'off' }
  const rule = (name: string): object => ({ if: [{ $ref: name }, 'on'] })
  const flags = {
    use_streaming: { ...flag, targeting: rule('isStaff') },
    'use_streaming.tool.bash': { ...flag, targeting: rule('isNobody') },
  }
  const $evaluators = { isStaff: { ends_with: [{ var: 'email' }, '@corp.example'] } }
  await writeFile(path, JSON.stringify({ flags, $evaluators }))
  const source = watching(path, { targeting: flagdTargeting() })
  await source.ready()
  const context = { email: 'ada@corp.example' }
  expect(await source.getBooleanDetails('use_streaming', false, context)).toMatchObject({ value: true })
  expect(await source.getBooleanDetails('use_streaming.tool.bash', true, context)).toMatchObject({
    reason: 'ERROR',
    errorCode: 'PARSE_ERROR',
    errorMessage: expect.stringContaining('refers to "isNobody"'),
  })
  expect(source.describe()).toMatchObject({
    status: 'ready',
    problem: { code: 'invalid', issues: [{ path: "$.flags['use_streaming.tool.bash'].targeting" }] },
  })
})

it('says where an invalid file is wrong', async () => {
  const path = join(await makeFolder(), 'flags.yaml')
  await writeFile(path, 'flags:\n  use_streaming:\n    state: on\n')
  const source = watching(path)
  await expect(source.ready()).rejects.toThrow('the file is invalid')
  expect(source.describe().problem?.issues).toMatchObject([
    { path: '$.flags.use_streaming.variants', line: 2 },
    { path: '$.flags.use_streaming.state', line: 3, column: 5 },
  ])
})

it('is stale while the file is gone, and recovers once it is back', async () => {
  const path = join(await makeFolder(), 'flags.json')
  await writeFile(path, jsonOf(true))
  const clock = manualClock()
  const { source, follower } = followFlags({ path, clock, maxAge: 60_000 }, undefined)
  open.push(source)
  const pass = async (ms: number): Promise<void> => {
    for (let passed = 0; passed < ms; passed += 200) {
      clock.advance(200)
      await follower.idle()
    }
  }
  await follower.idle()
  await pass(400)
  await rm(path)
  await pass(59_000)
  expect(source.describe().status).toBe('ready')
  await pass(15_000)
  expect(source.describe()).toMatchObject({ status: 'stale', problem: { code: 'unreachable' } })
  expect(source.getBooleanDetails('use_streaming', false)).toMatchObject({ value: true, reason: 'STALE' })
  await writeFile(path, jsonOf(true))
  await pass(15_400)
  expect(source.describe().status).toBe('ready')
})

it('leaves no timer and no watcher behind', async () => {
  const path = join(await makeFolder(), 'flags.json')
  const clock = manualClock()
  let closed = 0
  const { source, follower } = followFlags({ path, clock }, () => ({ update() {}, close: () => void closed++ }))
  await source.close()
  await follower.idle()
  expect(clock.pending).toBe(0)
  expect(closed).toBe(1)
})

it('does not keep a process alive', async () => {
  const path = join(await makeFolder(), 'flags.json')
  await writeFile(path, jsonOf(true))
  const script = `
    import { fileFlags } from '${new URL('../src/index.ts', import.meta.url).href}'
    const source = fileFlags({ path: ${JSON.stringify(path)} })
    await new Promise((resolve) => setImmediate(resolve))
  `
  // Ends by itself, or this test by its timeout.
  const running = promisify(execFile)(process.execPath, [
    '--conditions=millrace-source',
    '--input-type=module',
    '--eval',
    script,
  ])
  await expect(running).resolves.toMatchObject({ stderr: '' })
})

it.each([
  ['format', { path: 'flags.txt' }],
  ['poll', { path: 'flags.json', poll: 0 }],
  ['settle', { path: 'flags.json', settle: -1 }],
  ['maxBytes', { path: 'flags.json', maxBytes: Number.NaN }],
  ['maxAge', { path: 'flags.json', maxAge: 0 }],
])('refuses a wrong %s', (path, options) => {
  const make = (): unknown => fileFlags(options)
  expect(make).toThrow(expect.objectContaining({ name: 'MillraceError', code: 'invalid_option', path }))
})

describe('as an OpenFeature provider', () => {
  afterEach(() => OpenFeature.close())

  it('answers the SDK', async () => {
    const path = join(await makeFolder(), 'flags.json')
    await writeFile(path, jsonOf(true))
    await OpenFeature.setProviderAndWait('file', fileProvider({ path }))
    expect(await OpenFeature.getClient('file').getBooleanValue('use_streaming', false)).toBe(true)
  })
})
