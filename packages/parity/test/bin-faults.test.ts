import { spawn } from 'node:child_process'
import { watch } from 'node:fs'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type FaultPlan, type Script, text } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { type Cassette, parseCassette } from '../src/index.ts'
import { finalText, shopScript } from './loops/shop-script.ts'
import { builtBin } from './support/build-bin.ts'
import { claudeFor, recordLoop } from './support/recorded.ts'
import { type BinResult, makeFolder, program, runBin, startBin } from './support/run-bin.ts'

interface Recorded extends BinResult {
  readonly folder: string
  readonly cassettes: readonly Cassette[]
}

async function readFolder(folder: string): Promise<Cassette[]> {
  const names = (await readdir(folder)).filter((name) => name.endsWith('.cassette.json')).sort()
  return Promise.all(names.map(async (name) => parseCassette(await readFile(join(folder, name), 'utf8'))))
}

interface RecordSetting {
  readonly loop?: string
  readonly options?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly script?: Script
}

/** Resolves when a cassette has come into the folder. */
async function cassetteIn(folder: string): Promise<void> {
  await new Promise<void>((resolve) => {
    const watcher = watch(folder, (_, name) => {
      if (name?.endsWith('.cassette.json') !== true) return
      watcher.close()
      resolve()
    })
  })
}

/** Records a loop against a server with faults, as a user would. */
async function record(
  questions: readonly string[],
  faults: FaultPlan = [],
  { loop = 'options-object', options = [], env = {}, script = shopScript }: RecordSetting = {},
): Promise<Recorded> {
  const claude = await claudeFor(script, { faults })
  const folder = await makeFolder()
  const command = [process.execPath, program, loop, ...questions]
  const result = await runBin(['record', '--out', folder, ...options, '--', ...command], {
    ANTHROPIC_BASE_URL: claude.url,
    ...env,
  })
  return { ...result, folder, cassettes: await readFolder(folder) }
}

const kindsOf = (cassettes: readonly Cassette[]): string[][] =>
  cassettes.map(({ exchanges }) =>
    exchanges.map(({ answer }) => (answer.kind === 'broken' ? answer.reason : answer.kind)),
  )

describe('while recording', () => {
  it('an upstream that is down is told, and the loop sees what it would have seen', async () => {
    const folder = await makeFolder()
    const env = { ANTHROPIC_BASE_URL: 'http://127.0.0.1:1' }
    const command = [process.execPath, program, 'options-object', 'Hello']
    const { code, err } = await runBin(['record', '--out', folder, '--', ...command], env)
    expect(code).toBe(1)
    expect(err).toContain('the upstream http://127.0.0.1:1 could not be reached (ECONNREFUSED)')
    expect(err).toContain('APIConnectionError')
    expect(err).toContain('the command ended with exit code 1')
    expect(kindsOf(await readFolder(folder))).toEqual([['connection_failed']])
    // That it failed is what the recording says; Millrace fails as well.
    const compared = await runBin(['compare', folder])
    expect(compared.out).toContain('note: the recorded run failed: its last error is replayed')
    // Where no answer was recorded at all, equal proves nothing: who checks in CI must not be told that all is well.
    expect(compared.err).toContain('nothing was compared: no answer was recorded')
    expect(compared.code).toBe(2)
    expect((await runBin(['compare', folder, '--json'])).code).toBe(2)
    const figures = await runBin(['baseline', folder])
    expect(figures.out).toContain('runs      1: 0 succeeded, 1 failed, 0 unfinished; success 0.0%')
    // Nor is there a latency, least of all one of 0 ms that a gate would be held to.
    expect(figures.out).toContain('latency p95 -, of 1 run')
  })

  it('the exit code of the loop is passed on, and what it had asked is kept', async () => {
    const { code, err, cassettes } = await record(['Hello', 'What the model has no answer to'])
    expect(code).toBe(1)
    expect(err).toContain('the command ended with exit code 1')
    expect(err).toMatch(/recorded 2 runs in 2 requests into .*; failed: 1\n/)
    expect(kindsOf(cassettes)).toEqual([['message'], ['error']])
    expect(cassettes[1]?.exchanges[0]?.answer).toEqual({ kind: 'error', status: 400, type: 'invalid_request_error' })
  })

  it('a loop that goes elsewhere is noticed', async () => {
    const folder = await makeFolder()
    const { code, err } = await runBin(['record', '--out', folder, '--', process.execPath, '-e', '0'])
    expect(code).toBe(1)
    expect(err).toContain('no request came by: does the loop take its base URL from ANTHROPIC_BASE_URL?')
  })

  it('a command that does not exist is told', async () => {
    const { code, err } = await runBin(['record', '--out', await makeFolder(), '--', 'no-such-command-here'])
    expect(code).toBe(127)
    expect(err).toContain('no-such-command-here could not be started: there is no such program')
    // It asked nothing because it did not run.
    expect(err).not.toContain('ANTHROPIC_BASE_URL?')
  })

  it('a command that is no program is told', async () => {
    const folder = await makeFolder()
    await writeFile(join(folder, 'loop.txt'), '', { mode: 0o600 })
    const { code, err } = await runBin(['record', '--out', folder, '--', join(folder, 'loop.txt')])
    expect(code).toBe(127)
    expect(err).toContain('loop.txt could not be started: it may not be executed')
  })

  it.each([
    ['is a file', '', 'is a file, and no folder'],
    ['is in a file', '/cassettes', 'is below a file, which is no folder'],
  ])('a folder that %s is told before the loop runs', async (_, below, reason) => {
    const file = join(await makeFolder(), 'file')
    await writeFile(file, '')
    const { code, out, err } = await runBin(['record', '--out', `${file}${below}`, '--', 'echo', 'the loop runs'])
    expect(code).toBe(2)
    expect(err).toContain(`${file}${below}: the folder for the cassettes ${reason}`)
    expect(out).toBe('')
  })

  it('a disk that takes no more costs the recording, not the loop', async () => {
    const claude = await claudeFor(shopScript)
    const folder = await makeFolder()
    const args = [builtBin, 'record', '--out', folder, '--', process.execPath, program, 'options-object', 'Hello']
    // No file may become larger than 512 bytes: a real error of the file system, for everybody.
    const child = spawn('sh', ['-c', 'ulimit -f 1; exec "$0" "$@"', process.execPath, ...args], {
      env: { PATH: process.env['PATH'] ?? '', ANTHROPIC_BASE_URL: claude.url, ANTHROPIC_API_KEY: 'sk-ant-secret' },
    })
    let out = ''
    let err = ''
    child.stdout.on('data', (chunk) => (out += String(chunk)))
    child.stderr.on('data', (chunk) => (err += String(chunk)))
    const code = await new Promise((resolve) => child.on('close', resolve))
    expect(out).toBe(`${finalText('Hello')}\n`)
    expect(err).toMatch(/run \S+-0001 could not be kept: its file would be larger than the system allows/)
    expect(err).toContain('lost: 1')
    expect(code).toBe(1)
    // No half file, under whatever name.
    expect(await readdir(folder)).toEqual([])
  })

  it.each([
    ['SIGINT', 130],
    ['SIGTERM', 143],
    ['SIGHUP', 129],
  ] as const)('%s ends loop and recorder, and what was recorded is kept', async (signal, expected) => {
    const isSecond: FaultPlan = ({ lastUserText }) =>
      lastUserText === 'Where is order 17?' ? { kind: 'stall', at: { byte: 40 } } : undefined
    const claude = await claudeFor(shopScript, { faults: isSecond })
    const folder = await makeFolder()
    const command = [process.execPath, program, 'options-object', 'Charge 500 for order 17', 'Where is order 17?']
    const bin = startBin(['record', '--out', folder, '--', ...command], { ANTHROPIC_BASE_URL: claude.url })
    await claude.waitFor(({ index, status }) => index === 2 && status !== undefined)
    bin.child.kill(signal)
    const { code, err } = await bin.ended
    expect(code).toBe(expected)
    expect(err).toContain(`the command was ended by ${signal}`)
    const cassettes = await readFolder(folder)
    expect(cassettes.map(({ exchanges }) => exchanges.length)).toEqual([2, 1])
    expect(kindsOf(cassettes)[0]).toEqual(['message', 'message'])
    expect(['client_left', 'unfinished']).toContain(kindsOf(cassettes)[1]?.[0])
    const compared = await runBin(['compare', folder])
    expect(compared.code).toBe(0)
    expect(compared.out).toContain('compared up to turn 0')
  })

  it('a run that is over is on disk, whatever happens to the recorder', async () => {
    const isSecond: FaultPlan = ({ lastUserText }) => (lastUserText === 'Hello' ? undefined : { kind: 'no-headers' })
    const claude = await claudeFor(shopScript, { faults: isSecond })
    const folder = await makeFolder()
    const command = [process.execPath, program, 'options-object', 'Hello', 'Charge twice']
    const bin = startBin(['record', '--out', folder, '--', ...command], { ANTHROPIC_BASE_URL: claude.url })
    await cassetteIn(folder)
    bin.child.kill('SIGKILL')
    await bin.ended
    expect(kindsOf(await readFolder(folder))).toEqual([['message']])
  })

  it('a request that is too large passes, and is told', async () => {
    const options = ['--max-body', '700']
    const { code, out, err, cassettes } = await record(['Charge 500 for order 17'], [], { options })
    expect(out).toBe(`${finalText('Charge 500 for order 17')}\n`)
    expect(err).toContain('a request is larger than maxBodyBytes or maxHeldBytes allow: it is in no cassette')
    expect(code).toBe(1)
    expect(kindsOf(cassettes)).toEqual([['message']])
  })

  it.each([
    ['options-object', []],
    ['positional', []],
    // Small on the wire, and large when it is read.
    ['options-object', [{ kind: 'gzip', times: 'forever' }]],
  ] as const)('an answer that is too large passes, and is told: %s, %j', async (loop, faults) => {
    const long = 'so long '.repeat(1_000)
    const script: Script = ({ turn }) => ({ content: [text(`${turn} ${long}`)] })
    const { code, out, err, cassettes } = await record(['Hello'], faults, {
      loop,
      script,
      options: ['--max-body', '4000'],
    })
    expect(out).toBe(`1 ${long}\n`)
    expect(kindsOf(cassettes)).toEqual([['too_large']])
    expect(err).toContain('an answer is larger than maxBodyBytes or maxHeldBytes allow: it is not in its cassette')
    expect(code).toBe(1)
  })

  it.each(['options-object', 'positional'])(
    'answers that are compressed are recorded as what they hold: %s',
    async (loop) => {
      const { code, cassettes, folder } = await record(['Charge twice'], [{ kind: 'gzip', times: 'forever' }], { loop })
      expect(code).toBe(0)
      const kind = loop === 'positional' ? 'stream' : 'message'
      expect(kindsOf(cassettes)).toEqual([[kind, kind, kind]])
      expect((await runBin(['compare', folder])).code).toBe(0)
    },
  )

  it.each([429, 500, 503, 529])('a %s and its retries are recorded as one run', async (status) => {
    const faults: FaultPlan = [{ kind: 'status', status, retryAfterMs: '1', retryAfter: '0', times: 2 }]
    const { code, cassettes, folder } = await record(['Charge 500 for order 17'], faults, {
      env: { LOOP_RETRIES: '3' },
    })
    expect(code).toBe(0)
    expect(kindsOf(cassettes)).toEqual([['error', 'error', 'message', 'message']])
    expect(cassettes[0]?.exchanges[0]?.answer).toMatchObject({ status, retryAfter: '0' })
    const compared = await runBin(['compare', folder])
    expect(compared.out).toContain('note: failed requests that the loop sent again are not replayed: 2')
    expect(compared.code).toBe(0)
    const figures = JSON.parse((await runBin(['baseline', folder, '--json'])).out)
    expect(figures.requests).toMatchObject({ total: 4, failed: 2 })
    expect(figures.runs).toMatchObject({ total: 1, succeeded: 1, failed: 0 })
  })

  it.each([
    [{ kind: 'destroy', at: { event: 4 } }],
    [{ kind: 'reset', at: { byte: 300 } }],
    [{ kind: 'end', at: { event: 3 } }],
    [{ kind: 'gzip-cut', at: { byte: 60 } }],
  ] as const)('a stream that is cut is recorded as cut: %j', async (fault) => {
    const { code, cassettes } = await record(['Hello'], [fault], { loop: 'positional' })
    expect(code).toBe(1)
    // A reset may take what had arrived before it.
    const possible = fault.kind === 'reset' ? ['cut', 'connection_failed'] : ['cut']
    expect(possible).toContain(kindsOf(cassettes)[0]?.[0])
  })

  it('an error event in a stream is recorded as that error', async () => {
    const { cassettes } = await record(
      ['Hello'],
      [{ kind: 'error-event', errorType: 'overloaded_error', at: { event: 3 } }],
      { loop: 'positional' },
    )
    expect(cassettes[0]?.exchanges[0]?.answer).toEqual({ kind: 'error', status: 200, type: 'overloaded_error' })
  })

  it('a page in place of an answer is told', async () => {
    const { err, cassettes } = await record(['Hello'], [{ kind: 'html' }])
    expect(kindsOf(cassettes)).toEqual([['unreadable']])
    expect(err).toContain('an answer is no answer of the Messages API: it is not in its cassette')
  })
})

describe('a cassette that is not right', () => {
  it.each([
    [
      'cut short',
      (text: string) => text.slice(0, text.length / 2),
      'the cassette is no JSON: it may have been cut short',
    ],
    ['empty', () => '', 'the cassette is empty'],
    [
      'of another version',
      (text: string) => text.replace('"version": 1', '"version": 2'),
      'version is 2; this package reads 1',
    ],
    [
      'of another format',
      (text: string) => text.replace('millrace-cassette', 'other'),
      'format must be "millrace-cassette"',
    ],
    [
      'with an unknown field',
      (text: string) => text.replace('"durationMs"', '"costs":1,"durationMs"'),
      'exchanges[0].costs is no field here; known are startedAt, firstByteMs, durationMs, request, answer',
    ],
    [
      'corrupt',
      (text: string) => text.replace('"kind":"message"', '"kind":"massage"'),
      'exchanges[0].answer.kind must be one of message, stream, error, broken',
    ],
  ])('%s: is refused with the place, and the others are compared', async (_, spoil, message) => {
    const { folder } = await record(['Hello', 'Hello'])
    const [name = ''] = (await readdir(folder)).sort()
    const file = join(folder, name)
    await writeFile(file, spoil(await readFile(file, 'utf8')))
    const { code, out, err } = await runBin(['compare', folder])
    expect(err).toContain(`${file}: ${message}`)
    expect(out).toContain('2 cassettes: 1 equal, 0 different, 1 refused')
    expect(code).toBe(2)
    const figures = await runBin(['baseline', folder])
    expect(figures.err).toContain(`${file}: ${message}`)
    expect(figures.code).toBe(2)
  })

  it('a stream that holds no whole answer is refused', async () => {
    const cassette = await recordLoop([{ content: [{ type: 'text', text: 'Hello' }] }], { stream: true })
    const folder = await makeFolder()
    await writeFile(
      join(folder, 'a.cassette.json'),
      JSON.stringify(cassette).replace('event: message_delta', 'event: x').replace('message_delta', 'x'),
    )
    const { code, err } = await runBin(['compare', folder])
    expect(err).toContain('exchanges[0].answer.sse must be a stream that holds a whole answer')
    expect(code).toBe(2)
  })
})

describe('arguments that are not right', () => {
  it.each([
    [['replay'], 'there is no command "replay": it is record, compare or baseline'],
    [['record', '--', 'x'], 'record needs --out FOLDER'],
    [['record', '--out', 'x'], 'record needs the command that runs your loop, behind --'],
    [['record', '--out', 'x', 'node', 'loop.js'], 'node: the command that runs your loop stands behind --'],
    [['record', '--out', 'x', '--max-body', '-3', '--', 'x'], "Option '--max-body' argument is ambiguous"],
    [['record', '--out', 'x', '--max-body', 'many', '--', 'x'], '--max-body must be a whole number'],
    [['record', '--out', 'x', '--max-body', '0', '--', 'x'], '--max-body must be a whole number of at least 1'],
    [['record', '--out', 'x', '--redact-env', 'NO_SUCH', '--', 'x'], '--redact-env NO_SUCH: there is no such variable'],
    [['record', '--out', 'x', '--upstream', 'ftp://claude', '--', 'x'], '--upstream must be an http or https URL'],
    [['compare'], 'compare needs a cassette, or a folder of them'],
    [['compare', 'x', '--variant', 'slow'], '--variant must be one of buffered, whole'],
    [['compare', 'x', '--verbose'], 'there is no option --verbose here; known are --json, --variant, --seed, --help'],
    [['baseline', 'x', '-o'], 'there is no option -o here; known are --json, --out, --help'],
    [['baseline'], 'baseline needs a cassette, or a folder of them'],
  ])('%j', async (args, message) => {
    const { code, err } = await runBin(args)
    expect(err).toContain(message)
    // What was wrong, and where to look: no more than that.
    expect(err.split('\n')).toHaveLength(3)
    expect(err).toContain('\nsee millrace-parity --help\n')
    expect(code).toBe(2)
  })

  it('without any, the usage is shown', async () => {
    const { code, out, err } = await runBin([])
    expect(err).toContain('a command is missing\n\nusage: millrace-parity')
    expect({ code, out }).toEqual({ code: 2, out: '' })
  })

  it('a path of --redact', async () => {
    const options = ['--redact', 'messages..text']
    const { code, err } = await runBin(['record', '--out', await makeFolder(), ...options, '--', 'echo', 'x'])
    expect(err).toContain('redact[0] cannot be read at ".')
    expect(code).toBe(2)
  })

  it('a base URL of the environment that is none', async () => {
    const command = ['record', '--out', await makeFolder(), '--', process.execPath, '-e', '0']
    const wrong = await runBin(command, { ANTHROPIC_BASE_URL: 'claude' })
    expect(wrong.err).toContain('ANTHROPIC_BASE_URL must be an http or https URL, such as https://api.anthropic.com')
    expect(wrong.code).toBe(2)
    // An empty one is none, as for the SDK.
    expect((await runBin(command, { ANTHROPIC_BASE_URL: '' })).err).toContain('recorded 0 runs')
  })

  it('a path that is not there, and a folder without cassettes', async () => {
    const folder = await makeFolder()
    await mkdir(join(folder, 'empty'))
    const missing = await runBin(['compare', join(folder, 'missing')])
    expect(missing).toMatchObject({ code: 2, err: expect.stringContaining('missing does not exist') })
    const empty = await runBin(['compare', join(folder, 'empty')])
    expect(empty).toMatchObject({ code: 2, err: expect.stringContaining('holds no file that ends in .cassette.json') })
    const figures = await runBin(['baseline', folder, '--out', join(folder, 'none/figures.json')])
    expect(figures.code).toBe(2)
    const cassettes = await record(['Hello'])
    const unwritten = await runBin(['baseline', cassettes.folder, '--out', join(folder, 'none/figures.json')])
    expect(unwritten.err).toContain('none/figures.json could not be written: its folder does not exist')
    expect(unwritten.code).toBe(2)
  })

  it('the version is that of the package', async () => {
    const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../package.json'), 'utf8'))
    for (const flag of ['--version', '-v']) {
      expect(await runBin([flag])).toMatchObject({ code: 0, out: `${version}\n`, err: '' })
    }
  })

  it('help is printed where it is asked for', async () => {
    for (const args of [['--help'], ['help'], ['record', '--help'], ['compare', '--help'], ['baseline', '--help']]) {
      expect(await runBin(args)).toMatchObject({ code: 0, err: '', out: expect.stringContaining('usage:') })
    }
  })
})
