import { sampled } from '@millrace/config/sized'
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
  it('reports an unreachable upstream, and closes the connection to the loop', async () => {
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

  it('passes on the exit code of the loop, and keeps what was recorded', async () => {
    const { code, err, cassettes } = await record(['Hello', 'What the model has no answer to'])
    expect(code).toBe(1)
    expect(err).toContain('the command ended with exit code 1')
    expect(err).toMatch(/recorded 2 runs in 2 requests into .*; failed: 1\n/)
    expect(kindsOf(cassettes)).toEqual([['message'], ['error']])
    expect(cassettes[1]?.exchanges[0]?.answer).toEqual({ kind: 'error', status: 400, type: 'invalid_request_error' })
  })

  it('says so if no request was recorded', async () => {
    const folder = await makeFolder()
    const { code, err } = await runBin(['record', '--out', folder, '--', process.execPath, '-e', '0'])
    expect(code).toBe(1)
    expect(err).toContain('no request was recorded; the loop must take its base URL from ANTHROPIC_BASE_URL')
  })

  it('reports a command that does not exist', async () => {
    const { code, err } = await runBin(['record', '--out', await makeFolder(), '--', 'no-such-command-here'])
    expect(code).toBe(127)
    expect(err).toContain('no-such-command-here could not be started: the program was not found')
    // It asked nothing because it did not run.
    expect(err).not.toContain('ANTHROPIC_BASE_URL?')
  })

  it('reports a command that cannot be executed', async () => {
    const folder = await makeFolder()
    await writeFile(join(folder, 'loop.txt'), '', { mode: 0o600 })
    const { code, err } = await runBin(['record', '--out', folder, '--', join(folder, 'loop.txt')])
    expect(code).toBe(127)
    expect(err).toContain('loop.txt could not be started: it may not be executed')
  })

  it.each([
    ['is a file', '', 'is a file instead of a folder'],
    ['is in a file', '/cassettes', 'is below a file'],
  ])('reports a folder that %s before the loop runs', async (_, below, reason) => {
    const file = join(await makeFolder(), 'file')
    await writeFile(file, '')
    const { code, out, err } = await runBin(['record', '--out', `${file}${below}`, '--', 'echo', 'the loop runs'])
    expect(code).toBe(2)
    expect(err).toContain(`${file}${below}: the folder for the cassettes ${reason}`)
    expect(out).toBe('')
  })

  it('loses the recording, not the loop, if the disk is full', async () => {
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

  it.each(
    sampled(
      [
        ['SIGTERM', 143],
        ['SIGINT', 130],
        ['SIGHUP', 129],
      ] as const,
      1,
    ),
  )('ends loop and recorder on %s, and keeps what was recorded', async (signal, expected) => {
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

  it('has written a finished run before the recorder dies', async () => {
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

  it('passes a request that is too large, and reports it', async () => {
    const options = ['--max-body', '700']
    const { code, out, err, cassettes } = await record(['Charge 500 for order 17'], [], { options })
    expect(out).toBe(`${finalText('Charge 500 for order 17')}\n`)
    expect(err).toContain('a request is larger than maxBodyBytes or maxHeldBytes, so it is in no cassette')
    expect(code).toBe(1)
    expect(kindsOf(cassettes)).toEqual([['message']])
  })

  it.each([
    ['options-object', []],
    ['positional', []],
    // Small on the wire, and large when it is read.
    ['options-object', [{ kind: 'gzip', times: 'forever' }]],
  ] as const)('passes an answer that is too large, and reports it: %s, %j', async (loop, faults) => {
    const long = 'so long '.repeat(1_000)
    const script: Script = ({ turn }) => ({ content: [text(`${turn} ${long}`)] })
    const { code, out, err, cassettes } = await record(['Hello'], faults, {
      loop,
      script,
      options: ['--max-body', '4000'],
    })
    expect(out).toBe(`1 ${long}\n`)
    expect(kindsOf(cassettes)).toEqual([['too_large']])
    expect(err).toContain('an answer is larger than maxBodyBytes or maxHeldBytes, so it is not in its cassette')
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

  it.each(sampled([529, 500, 503, 429], 1))('records a %s and its retries as one run', async (status) => {
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

  it.each(
    sampled(
      [
        [{ kind: 'destroy', at: { event: 4 } }],
        [{ kind: 'reset', at: { byte: 300 } }],
        [{ kind: 'end', at: { event: 3 } }],
        [{ kind: 'gzip-cut', at: { byte: 60 } }],
      ] as const,
      1,
    ),
  )('records a broken stream as cut: %j', async (fault) => {
    const { code, cassettes } = await record(['Hello'], [fault], { loop: 'positional' })
    expect(code).toBe(1)
    // A reset may take what had arrived before it.
    const possible = fault.kind === 'reset' ? ['cut', 'connection_failed'] : ['cut']
    expect(possible).toContain(kindsOf(cassettes)[0]?.[0])
  })

  it('records an error event of a stream as that error', async () => {
    const { cassettes } = await record(
      ['Hello'],
      [{ kind: 'error-event', errorType: 'overloaded_error', at: { event: 3 } }],
      { loop: 'positional' },
    )
    expect(cassettes[0]?.exchanges[0]?.answer).toEqual({ kind: 'error', status: 200, type: 'overloaded_error' })
  })

  it('reports a page in place of an answer', async () => {
    const { err, cassettes } = await record(['Hello'], [{ kind: 'html' }])
    expect(kindsOf(cassettes)).toEqual([['unreadable']])
    expect(err).toContain('an answer is not one of the Messages API, so it is not in its cassette')
  })
})

describe('compare', () => {
  it.each(
    sampled<[name: string, spoil: (text: string) => string, message: string]>(
      [
        [
          'cut short',
          (text: string) => text.slice(0, text.length / 2),
          'the cassette must be JSON; it may have been cut short',
        ],
        ['empty', () => '', 'the cassette is empty'],
        [
          'of another version',
          (text: string) => text.replace('"version": 1', '"version": 2'),
          'version is 2, and this package reads version 1',
        ],
        [
          'of another format',
          (text: string) => text.replace('millrace-cassette', 'other'),
          'format must be "millrace-cassette"',
        ],
        [
          'with an unknown field',
          (text: string) => text.replace('"durationMs"', '"costs":1,"durationMs"'),
          'exchanges[0].costs is unknown; expected one of startedAt, firstByteMs, durationMs, request, answer',
        ],
        [
          'corrupt',
          (text: string) => text.replace('"kind":"message"', '"kind":"massage"'),
          'exchanges[0].answer.kind must be one of message, stream, error, broken',
        ],
      ],
      2,
    ),
  )('refuses a cassette at its place and compares the others: %s', async (_, spoil, message) => {
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

  it('refuses a recorded stream without a whole answer', async () => {
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

describe('arguments', () => {
  it.each([
    [['replay'], 'unknown command "replay"; expected record, compare, request or baseline'],
    [['record', '--', 'x'], 'record needs --out FOLDER'],
    [['record', '--out', 'x'], 'record needs the command that runs your loop, behind --'],
    [
      ['record', '--out', 'x', 'node', 'loop.js'],
      'unexpected argument "node"; put the command that runs your loop behind --',
    ],
    [['record', '--out', 'x', '--max-body', '-3', '--', 'x'], "Option '--max-body' argument is ambiguous"],
    [['record', '--out', 'x', '--max-body', 'many', '--', 'x'], '--max-body must be a whole number'],
    [['record', '--out', 'x', '--max-body', '0', '--', 'x'], '--max-body must be a whole number of at least 1'],
    [
      ['record', '--out', 'x', '--redact-env', 'NO_SUCH', '--', 'x'],
      '--redact-env names "NO_SUCH", a variable that is not set',
    ],
    [['record', '--out', 'x', '--upstream', 'ftp://claude', '--', 'x'], '--upstream must be an http or https URL'],
    [['compare'], 'compare needs a cassette, or a folder of them'],
    [['compare', 'x', '--variant', 'slow'], '--variant must be one of buffered, whole'],
    [['compare', 'x', '--verbose'], 'unknown option "--verbose"; expected one of --json, --variant, --seed, --help'],
    [['baseline', 'x', '-o'], 'unknown option "-o"; expected one of --json, --out, --help'],
    [['baseline'], 'baseline needs a cassette, or a folder of them'],
  ])('are refused: %j', async (args, message) => {
    const { code, err } = await runBin(args)
    expect(err).toContain(message)
    // What was wrong, and where to look: no more than that.
    expect(err.split('\n')).toHaveLength(3)
    expect(err).toContain('\nsee millrace-parity --help\n')
    expect(code).toBe(2)
  })

  it('are explained if there are none', async () => {
    const { code, out, err } = await runBin([])
    expect(err).toContain('a command is missing\n\nusage: millrace-parity')
    expect({ code, out }).toEqual({ code: 2, out: '' })
  })

  it('are refused with a wrong path of --redact', async () => {
    const options = ['--redact', 'messages..text']
    const { code, err } = await runBin(['record', '--out', await makeFolder(), ...options, '--', 'echo', 'x'])
    expect(err).toContain('redact[0] cannot be read at ".')
    expect(code).toBe(2)
  })

  it('are refused with a wrong base URL in the environment', async () => {
    const command = ['record', '--out', await makeFolder(), '--', process.execPath, '-e', '0']
    const wrong = await runBin(command, { ANTHROPIC_BASE_URL: 'claude' })
    expect(wrong.err).toContain('ANTHROPIC_BASE_URL must be an http or https URL, such as https://api.anthropic.com')
    expect(wrong.code).toBe(2)
    // An empty one is none, as for the SDK.
    expect((await runBin(command, { ANTHROPIC_BASE_URL: '' })).err).toContain('recorded 0 runs')
  })

  it('are refused with a path that does not exist, or a folder without cassettes', async () => {
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

  it('print the version of the package', async () => {
    const { version } = JSON.parse(await readFile(join(import.meta.dirname, '../package.json'), 'utf8'))
    for (const flag of ['--version', '-v']) {
      expect(await runBin([flag])).toMatchObject({ code: 0, out: `${version}\n`, err: '' })
    }
  })

  it('print the help of each command', async () => {
    for (const args of [['--help'], ['help'], ['record', '--help'], ['compare', '--help'], ['baseline', '--help']]) {
      expect(await runBin(args)).toMatchObject({ code: 0, err: '', out: expect.stringContaining('usage:') })
    }
  })
})
