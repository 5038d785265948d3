import { requireProgram } from '@millrace/config/programs'
import { execFile, spawn } from 'node:child_process'
import { mkdtemp, readdir, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { describe, expect, it } from 'vitest'
import { runDemo } from '../src/demo/run-demo.ts'
import { liveScreen } from '../src/terminal/live-screen.ts'
import { plainOutput } from './plain-output.ts'
import { openTerminal } from './terminal.ts'

const app = dirname(dirname(fileURLToPath(import.meta.url)))
const folder = join(app, 'src/terminal')
const signal = new AbortController().signal
const quick = { folder, signal, pace: 'fast', backoff: 1 } as const

const notices = [
  '[turn 1: stream failed after output was shown (connection_lost): asking again, streaming]',
  '[turn 2: stream failed after output was shown (connection_lost): keeping what arrived whole, and running its tools]',
  '[turn 3: stream failed after output was shown (connection_lost): asking again, streaming]',
  '[turn 3: stream failed after output was shown (connection_lost): asking again, without streaming]',
]

describe('the demo', () => {
  it('streams, loses its stream four times, and runs with the flag off', async () => {
    const { screen, text } = plainOutput()
    expect(await runDemo({ screen, ...quick })).toEqual([])
    const shown = text()
    expect(notices.filter((notice) => shown.split(notice).length !== 2)).toEqual([])
    expect(shown.match(/\[retracted, \d+ characters: ".+"\]/g)).toHaveLength(2)
    expect(shown.match(/survey_folder 100 % \((\d+) of \1\)/g)).toHaveLength(2)
    const table = shown.slice(shown.indexOf('What happened'))
    expect(table).toContain('stream (flag)  stream (flag)')
    expect(table).toContain('legacy (flag)')
    expect(table).toMatch(/requests +3 +6 +3\n/)
    expect(table).toMatch(/streams cut +0 +4 +0\n/)
    expect(table).toContain('2 stream, 1 salvage, 1 buffered')
    expect(table).toMatch(/write_note +ran 1x +ran 1x +ran 1x\n/)
    expect(table).toMatch(/answer +([0-9a-f]{8}) +\1 +\1\n/)
    expect(shown).not.toContain('\u001b')
  })

  it('shows no retracted text on a terminal, and each answer once', async () => {
    const { output, lines } = openTerminal({ columns: 100, rows: 40 })
    expect(await runDemo({ screen: liveScreen(output), ...quick })).toEqual([])
    const shown = (await lines())
      .filter((line) => !line.startsWith('[retracted'))
      .join(' ')
      .replace(/\s+/g, ' ')
    expect(shown.match(/There are \d+ files with \d+ lines in all/g)).toHaveLength(3)
    expect(shown.match(/Compressed, \d+ % of them are left, which is usual for source code\./g)).toHaveLength(3)
    expect(
      shown.match(/I will count it: every file, its lines and its bytes, and how small it compresses\./g),
    ).toHaveLength(2)
    expect(shown).not.toContain('Brotli makes')
  })

  it('ends when its signal aborts', async () => {
    const controller = new AbortController()
    const { screen } = plainOutput()
    const stopping = {
      ...screen,
      progress: () => controller.abort(new Error('interrupted')),
    }
    await expect(runDemo({ ...quick, screen: stopping, signal: controller.signal })).rejects.toThrow('interrupted')
  })

  it('needs a folder', async () => {
    const { screen } = plainOutput()
    await expect(runDemo({ ...quick, screen, folder: join(app, 'package.json') })).rejects.toThrow('is not a folder')
  })
})

describe('as a command, on the built packages', () => {
  it('ends with "demo ok" and exit code 0, in plain text', async () => {
    const { code, stdout, stderr } = await demo('--fast', folder)
    expect(stderr).toBe('')
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('demo ok')
    expect(stdout).not.toContain('\u001b')
    expect(code).toBe(0)
  })

  it('says what is wrong with its arguments', async () => {
    expect(await demo('--fats')).toMatchObject({ code: 2, stderr: expect.stringContaining("'--fats'") })
    expect(await demo('no-such-folder')).toMatchObject({
      code: 1,
      stdout: '',
      stderr: expect.stringMatching(/^demo failed: ".*no-such-folder" is not a folder\n$/),
    })
    expect(await demo('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: pnpm demo') })
  })
})

const terminalProgram = requireProgram('script')

terminalProgram.describe('on a terminal', () => {
  it('leaves nothing behind after Ctrl-C', async () => {
    const home = await mkdtemp(join(tmpdir(), 'millrace-cli-'))
    try {
      const command = `stty cols 100 rows 40; exec '${process.execPath}' '${join(app, 'src/demo.ts')}' '${folder}'`
      const env = { PATH: process.env['PATH'], TERM: 'xterm', TMPDIR: home }
      const child = spawn(terminalProgram.path ?? '', ['-qec', command, '/dev/null'], { cwd: app, env })
      let shown = ''
      child.stdout.on('data', (data: Buffer) => {
        const before = shown
        shown += data.toString()
        // By then the journal has its folder, and the cursor is hidden.
        if (shown.includes('They want') && !before.includes('They want')) child.stdin.write('\u0003')
      })
      const code = await new Promise((resolve) => child.on('exit', resolve))
      expect(code).toBe(130)
      expect(shown).toContain('\u001b[1m')
      expect(shown).not.toContain('demo ok')
      expect(await readdir(home)).toEqual([])
    } finally {
      await rm(home, { recursive: true, force: true })
    }
  })
})

function demo(...args: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    execFile(process.execPath, [join(app, 'src/demo.ts'), ...args], { cwd: app }, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
  })
}
