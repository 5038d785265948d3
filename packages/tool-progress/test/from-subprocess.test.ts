import { getEventListeners } from 'node:events'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { type Clock, systemClock, type ToolProgress } from '@millrace/core'
import { isRecord } from '@millrace/core/kit'
import { manualClock } from '@millrace/testing/async'
import { afterAll, expect, test } from 'vitest'
import { fromSubprocess, isSubprocessError } from '../src/node/index.ts'
import { isRunning, pidIn } from './process-state.ts'

const folder = mkdtempSync(join(tmpdir(), 'millrace-subprocess-'))
afterAll(() => rmSync(folder, { recursive: true }))

const node = (script: string): [string, string[]] => [process.execPath, ['-e', script]]

test('returns the output of both streams, and reports it as progress', async () => {
  const seen: ToolProgress[] = []
  const result = await fromSubprocess('sh', ['-c', 'echo one; echo two >&2; exit 3'], {
    progress: (report) => seen.push(report),
  })
  expect(result).toMatchObject({ end: 'exited', exitCode: 3, signal: null, truncated: false, bytes: 8 })
  expect(result.output.split('\n').sort()).toEqual(['', 'one', 'two'])
  expect(seen.at(-1)?.data).toMatchObject({ bytes: 8, tail: result.output })
})

test('writes the input, and gives none by default', async () => {
  expect((await fromSubprocess('cat', [], { input: 'hello' })).output).toBe('hello')
  expect((await fromSubprocess('cat', [])).output).toBe('')
})

test('accepts a program that does not read its input', async () => {
  const result = await fromSubprocess('true', [], { input: 'x'.repeat(1_000_000) })
  expect(result).toMatchObject({ end: 'exited', exitCode: 0 })
})

test('uses the given folder and environment', async () => {
  const result = await fromSubprocess('/bin/sh', ['-c', 'pwd; echo $ONLY; echo ${HOME:-none}'], {
    cwd: folder,
    env: { ONLY: 'this' },
  })
  expect(result.output).toBe(`${folder}\nthis\nnone\n`)
})

test('says why a program cannot start', async () => {
  const plain = join(folder, 'plain')
  writeFileSync(plain, 'text')
  chmodSync(plain, 0o644)
  const cases = [
    [fromSubprocess('no-such-command', []), 'command_not_found'],
    [fromSubprocess(plain, []), 'not_executable'],
    [fromSubprocess('true', [], { cwd: join(folder, 'missing') }), 'bad_folder'],
    [fromSubprocess('tr\0ue', []), 'spawn_failed'],
  ] as const
  for (const [started, code] of cases) {
    const error: unknown = await started.catch((cause: unknown) => cause)
    expect(isSubprocessError(error)).toBe(true)
    expect(error).toMatchObject({ code })
  }
})

test('says that something else killed the program', async () => {
  expect(await fromSubprocess('sh', ['-c', 'kill -9 $$'])).toMatchObject({
    end: 'signalled',
    exitCode: null,
    signal: 'SIGKILL',
  })
})

test('ends the program at its timeout, and keeps what it wrote', async () => {
  let expire = (): void => {}
  // The real clock, but for the timeout, which this test decides about: a busy machine may take long to start a program.
  const clock: Clock = {
    now: () => systemClock.now(),
    setTimer(fire, ms) {
      if (ms !== 1_000_000) return systemClock.setTimer(fire, ms)
      expire = fire
      return () => {}
    },
  }
  const result = await fromSubprocess('sh', ['-c', 'echo started; sleep 1000'], {
    timeout: 1_000_000,
    clock,
    progress: () => expire(),
  })
  expect(result).toMatchObject({ end: 'timeout', exitCode: null, output: 'started\n' })
})

test('kills grandchildren on abort', async () => {
  const controller = new AbortController()
  let pid = 0
  const result = await fromSubprocess('sh', ['-c', 'sh -c "sleep 1000 & echo \\$!; wait"; echo not reached'], {
    signal: controller.signal,
    progress: ({ message = '' }) => {
      pid = pidIn(message)
      expect(isRunning(pid)).toBe(true)
      controller.abort()
    },
  })
  expect(result.end).toBe('aborted')
  expect(isRunning(pid)).toBe(false)
})

test('kills a program that ignores SIGTERM after the grace', async () => {
  const controller = new AbortController()
  let pid = 0
  const result = await fromSubprocess(
    'sh',
    ['-c', 'trap "" TERM; sh -c "trap \\"\\" TERM; echo \\$\\$; while :; do sleep 1; done"'],
    {
      signal: controller.signal,
      killGrace: 100,
      progress: ({ message = '' }) => {
        pid = pidIn(message)
        controller.abort()
      },
    },
  )
  expect(result).toMatchObject({ end: 'aborted', signal: 'SIGKILL' })
  expect(isRunning(pid)).toBe(false)
})

test.each([
  ['holding its pipes', 'sleep 1000 & echo $!'],
  ['without its pipes', 'sleep 1000 >/dev/null 2>&1 & echo $!'],
])('ends what a program leaves in the background, %s', async (_name, script) => {
  const result = await fromSubprocess('sh', ['-c', script])
  expect(result).toMatchObject({ end: 'exited', exitCode: 0 })
  expect(isRunning(pidIn(result.output))).toBe(false)
})

test('does not wait for a process that left the group', async () => {
  const started = join(folder, 'started')
  const away = `setsid sh -c 'echo $$; touch ${started}; exec sleep 1000' &`
  const result = await fromSubprocess('sh', ['-c', `${away} while [ ! -e ${started} ]; do sleep 0.01; done`])
  const pid = pidIn(result.output)
  try {
    expect(result.end).toBe('exited')
    // Out of reach, as documented.
    expect(isRunning(pid)).toBe(true)
  } finally {
    process.kill(pid, 'SIGKILL')
  }
})

test('starts nothing once the signal has aborted', async () => {
  const marker = join(folder, 'marker')
  const result = await fromSubprocess('touch', [marker], { signal: AbortSignal.abort() })
  expect(result).toMatchObject({ end: 'aborted', exitCode: null, output: '', bytes: 0 })
  expect((await fromSubprocess('ls', [folder])).output).not.toContain('marker')
})

test('reads 100 MB without filling memory', async () => {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('gc')
  const used = (): number => {
    if (typeof collect === 'function') collect()
    const { heapUsed, arrayBuffers } = process.memoryUsage()
    return heapUsed + arrayBuffers
  }
  const before = used()
  let during: number | undefined
  const script = `const line = 'x'.repeat(99) + '\\n'; const chunk = line.repeat(10_000)
    let left = 100; const write = () => { while (left-- > 0) if (!process.stdout.write(chunk)) return void process.stdout.once('drain', write) }; write()`
  const result = await fromSubprocess(...node(script), {
    progress: ({ data }) => {
      const bytes = isRecord(data) ? Number(data['bytes']) : 0
      if (bytes > 90_000_000) during ??= used()
    },
  })
  expect(result).toMatchObject({ end: 'exited', exitCode: 0, bytes: 100_000_000, truncated: true })
  expect(result.output).toHaveLength(100_000)
  expect((during ?? Infinity) - before).toBeLessThan(20_000_000)
})

test('streams what find prints about a large folder', async () => {
  const root = fileURLToPath(new URL('../../../node_modules', import.meta.url))
  let reports = 0
  let listed = 0
  const result = await fromSubprocess('find', [root, '-name', '*.js'], {
    progress: () => (reports += 1),
    parse: () => {
      listed += 1
      return listed % 100 === 0 ? { progress: listed } : undefined
    },
  })
  expect(result).toMatchObject({ end: 'exited', exitCode: 0 })
  expect(listed).toBeGreaterThan(1000)
  expect(reports).toBe(Math.floor(listed / 100))
})

test('releases every timer and listener', async () => {
  const { signal } = new AbortController()
  const clock = manualClock()
  await fromSubprocess('true', [], { signal, timeout: 1_000_000, clock })
  expect([clock.timersSet > 0, clock.pending, getEventListeners(signal, 'abort').length]).toEqual([true, 0, 0])
})

test.each([
  [{ timout: 1 }, 'unknown_option', 'timout'],
  [{ timeout: Number.NaN }, 'invalid_option', 'timeout'],
  [{ maxTail: -1 }, 'invalid_option', 'maxTail'],
  [{ cwd: new URL('file:///') }, 'invalid_option', 'cwd'],
])('refuses the options %j, and starts nothing', async (options, code, path) => {
  await expect(Reflect.apply(fromSubprocess, undefined, ['true', [], options])).rejects.toMatchObject({ code, path })
})
