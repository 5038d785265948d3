import { existsSync, mkdirSync, readdirSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, expect, test } from 'vitest'
import { type BashOptions, workspaceTools } from '../src/index.ts'
import { call, contextOf, find } from './call-tool.ts'
import { testFolder } from './folder.ts'
import { isRunning } from './process-state.ts'

const folder = testFolder()
afterAll(() => folder.remove())

const bash = (options: BashOptions = {}) => find(workspaceTools({ folder: folder.workspace, bash: options }), 'bash')
const leftovers = (): string[] => readdirSync(tmpdir()).filter((name) => name.startsWith('millrace-shell-'))

test('a command runs in the folder; its output is the result, and progress on its way', async () => {
  const context = contextOf()
  expect(await call(bash(), { command: 'pwd; echo to stderr >&2' }, context)).toEqual({
    text: `${folder.workspace}\nto stderr`,
  })
  expect(context.seen.at(-1)?.message).toBe('to stderr')
})

test('a command that fails is an error that holds its output and its exit code', async () => {
  expect(await call(bash(), { command: 'echo before; exit 3' })).toEqual({ error: 'before\nExit code 3' })
  expect(await call(bash(), { command: 'no-such-command' })).toEqual({
    error: expect.stringMatching(/no-such-command: command not found\nExit code 127/),
  })
  expect(await call(bash(), { command: 'echo "unclosed' })).toEqual({
    error: expect.stringContaining('unexpected EOF'),
  })
  expect(await call(bash(), { command: 'kill -9 $$' })).toEqual({ error: 'The command was killed by SIGKILL.' })
})

test('folder and exported variables stay for the next command of the run, others and other runs are not concerned', async () => {
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

test('state survives a failure, and a folder that is gone', async () => {
  const tool = bash()
  mkdirSync(join(folder.workspace, 'gone'))
  await call(tool, { command: 'export A=1; cd gone; false' })
  expect((await call(tool, { command: 'echo $A; pwd; rmdir ../gone' })).text).toBe(`1\n${folder.workspace}/gone`)
  expect((await call(tool, { command: 'echo $A; pwd' })).text).toBe(`1\n${folder.workspace}`)
})

test('calls of one run wait for each other', async () => {
  const tool = bash()
  const [, second] = await Promise.all([
    call(tool, { command: 'sleep 0.3; cd folder; export FIRST=yes' }),
    call(tool, { command: 'echo $FIRST; pwd' }),
  ])
  expect(second.text).toBe(`yes\n${folder.workspace}/folder`)
})

test('a command sees harmless variables and those it was given, not the secrets of this process', async () => {
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

test('a command that takes too long is stopped, with what it wrote', async () => {
  expect(await call(bash({ timeout: 300 }), { command: 'echo started; sleep 1000' })).toEqual({
    error: expect.stringMatching(/^started\nThe command was stopped: it took longer than 300 ms/),
  })
})

test('an abort stops it, with what it had started', async () => {
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

test('a call that was stopped before it began does nothing, and says so', async () => {
  const context = contextOf({ signal: AbortSignal.abort(new Error('interrupted')) })
  const running = bash().run({ command: 'touch marker' }, context)
  await expect(running).rejects.toMatchObject({
    outcome: 'error',
    content: 'The command was not run: the call was stopped before.',
  })
  expect(existsSync(join(folder.workspace, 'marker'))).toBe(false)
})

test('long output keeps its end, and says so', async () => {
  const { text = '' } = await call(bash({ maxOutput: 100 }), { command: 'seq 1 100000; printf "\\033[31mred\\033[0m"' })
  expect(text).toMatch(/^\[the beginning of 588907 bytes of output was left out\]\n/)
  expect(text.endsWith('100000\nred')).toBe(true)
  expect(text.length).toBeLessThan(200)
})

test('it waits for no input', async () => {
  expect(await call(bash(), { command: 'cat; echo done' })).toEqual({ text: 'done' })
})

test('without a command there is nothing to do', async () => {
  expect((await call(bash(), {})).error).toContain('Give a command')
  expect((await call(bash(), { command: 7 })).error).toContain('string')
})

test('no file is left behind', async () => {
  const before = leftovers()
  const tool = bash()
  await call(tool, { command: 'export A=1' })
  await call(tool, { command: 'exit 1' })
  expect(leftovers()).toEqual(before)
})
