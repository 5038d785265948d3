import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type Clock, systemClock } from '@millrace/core'
import { afterAll, expect, test } from 'vitest'
import { type BashOptions, workspaceTools } from '../src/index.ts'
import { call, contextOf, find } from './call-tool.ts'
import { testFolder } from './folder.ts'
import { isRunning } from './process-state.ts'

const folder = testFolder()
afterAll(() => folder.remove())

const bash = (options: BashOptions = {}) => find(workspaceTools({ folder: folder.workspace, bash: options }), 'bash')
const leftovers = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('millrace-shell-'))

test('runs a command in the folder, returns its output, and reports it as progress', async () => {
  const context = contextOf()
  expect(await call(bash(), { command: 'pwd; echo to stderr >&2' }, context)).toEqual({
    text: `${folder.workspace}\nto stderr`,
  })
  expect(context.seen.at(-1)?.message).toBe('to stderr')
})

test('fails with the output and the exit code of a command that fails', async () => {
  expect(await call(bash(), { command: 'echo before; exit 3' })).toEqual({ error: 'before\nExit code 3' })
  expect(await call(bash(), { command: 'no-such-command' })).toEqual({
    error: expect.stringMatching(/no-such-command: command not found\nExit code 127/),
  })
  expect(await call(bash(), { command: 'echo "unclosed' })).toEqual({
    error: expect.stringContaining('unexpected EOF'),
  })
  expect(await call(bash(), { command: 'kill -9 $$' })).toEqual({ error: 'The command was killed by SIGKILL.' })
})

test('keeps folder and exported variables for the next command of the run, and only those', async () => {
  const tool = bash()
  await call(tool, { command: `cd folder; export KEPT="it's \\"kept\\"\n\\$HOME"; LOCAL=1; exit 0` })
  expect(await call(tool, { command: 'pwd; echo "$KEPT"; echo "[$LOCAL]"' })).toEqual({
    text: `${folder.workspace}/folder\nit's "kept"\n$HOME\n[]`,
  })
  expect(await call(tool, { command: 'pwd; echo "[$KEPT]"' }, contextOf({ runId: 'other' }))).toEqual({
    text: `${folder.workspace}\n[]`,
  })
  expect(await call(tool, { restart: true })).toEqual({ text: 'The shell was restarted.' })
  expect(await call(tool, { command: 'pwd; echo "[$KEPT]"' })).toEqual({ text: `${folder.workspace}\n[]` })
})

test('keeps its state after a failure, and after its folder was removed', async () => {
  const tool = bash()
  mkdirSync(join(folder.workspace, 'gone'))
  await call(tool, { command: 'export A=1; cd gone; false' })
  expect((await call(tool, { command: 'echo $A; pwd; rmdir ../gone' })).text).toBe(`1\n${folder.workspace}/gone`)
  expect((await call(tool, { command: 'echo $A; pwd' })).text).toBe(`1\n${folder.workspace}`)
})

test('runs the calls of one run one after the other', async () => {
  const tool = bash()
  const [, second] = await Promise.all([
    call(tool, { command: 'sleep 0.3; cd folder; export FIRST=yes' }),
    call(tool, { command: 'echo $FIRST; pwd' }),
  ])
  expect(second.text).toBe(`yes\n${folder.workspace}/folder`)
})

test('passes harmless and given variables to a command, but no secrets of this process', async () => {
  process.env['MILLRACE_TEST_API_KEY'] = 'sk-secret'
  try {
    const { text = '' } = await call(bash({ env: { GIVEN: 'yes' } }), { command: 'env' })
    expect(text).toContain('GIVEN=yes')
    expect(text).toContain('PATH=')
    expect(text).not.toContain('sk-secret')
    const names = text.split('\n').map((line) => line.split('=')[0])
    const allowed = [
      'GIVEN',
      'HOME',
      'LANG',
      'LANGUAGE',
      'LC_ALL',
      'LC_CTYPE',
      'LOGNAME',
      'OLDPWD',
      'PATH',
      'PWD',
      'SHELL',
      'SHLVL',
      'TERM',
      'TMPDIR',
      'TZ',
      'USER',
      '_',
    ]
    expect(names.filter((name) => !allowed.includes(name ?? ''))).toEqual([])
  } finally {
    delete process.env['MILLRACE_TEST_API_KEY']
  }
})

test('stops a command that takes too long, and returns what it wrote', async () => {
  const timeout = 1_000_000
  let expire = (): void => {}
  // The real clock, but for the timeout, which this test decides about: a busy machine may take long to start bash.
  const clock: Clock = {
    now: () => systemClock.now(),
    setTimer(fire, ms) {
      if (ms !== timeout) return systemClock.setTimer(fire, ms)
      expire = fire
      return () => {}
    },
  }
  const tool = find(workspaceTools({ folder: folder.workspace, bash: { timeout }, clock }), 'bash')
  const context = contextOf({ progress: () => expire() })
  expect(await call(tool, { command: 'echo started; sleep 1000' }, context)).toEqual({
    error: expect.stringMatching(/^started\nThe command was stopped because it took longer than 1000000 ms/),
  })
})

test('stops a command on abort, and everything it started', async () => {
  const controller = new AbortController()
  const reason = new Error('interrupted')
  let pid = 0
  const context = contextOf({
    signal: controller.signal,
    progress({ message = '' }) {
      pid = Number(message)
      controller.abort(reason)
    },
  })
  await expect(call(bash(), { command: 'sleep 1000 & echo $!; wait' }, context)).rejects.toBe(reason)
  expect(pid).toBeGreaterThan(1)
  expect(isRunning(pid)).toBe(false)
})

test('does nothing for a call that was stopped before it began', async () => {
  const context = contextOf({ signal: AbortSignal.abort(new Error('interrupted')) })
  const prepared = await bash().prepare({ command: 'touch marker' })
  const running = prepared.issues ?? prepared.run(context)
  await expect(running).rejects.toMatchObject({
    outcome: 'error',
    content: 'The command was not run: the call was stopped before.',
  })
  expect(existsSync(join(folder.workspace, 'marker'))).toBe(false)
})

test('keeps the end of long output, and says so', async () => {
  const { text = '' } = await call(bash({ maxOutput: 100 }), { command: 'seq 1 100000; printf "\\033[31mred\\033[0m"' })
  expect(text).toMatch(/^\[only the end of 588907 bytes of output is shown\]\n/)
  expect(text.endsWith('100000\nred')).toBe(true)
  expect(text.length).toBeLessThan(200)
})

test('gives a command no input to wait for', async () => {
  expect(await call(bash(), { command: 'cat; echo done' })).toEqual({ text: 'done' })
})

test('refuses a call without a command', async () => {
  expect((await call(bash(), {})).error).toContain('Give a command')
  expect((await call(bash(), { command: 7 })).error).toContain('string')
})

test('leaves no file behind', async () => {
  const before = leftovers()
  const tool = bash()
  await call(tool, { command: 'export A=1' })
  await call(tool, { command: 'exit 1' })
  expect(leftovers()).toEqual(before)
})
