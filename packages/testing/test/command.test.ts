import { spawn } from 'node:child_process'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { runCommand } from '../src/bin/command.ts'
import { faultKinds } from '../src/index.ts'

let folder: string
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-'))
})
afterAll(async () => await rm(folder, { recursive: true }))

async function file(name: string, content: string): Promise<string> {
  const path = join(folder, name)
  await writeFile(path, content)
  return path
}

/** Runs the command; `during` gets its URL while it serves. */
async function run(
  args: string[],
  during: (url: string) => Promise<void> = async () => {},
): Promise<{ code: number; out: string; err: string }> {
  const out: string[] = []
  const err: string[] = []
  let stop = (): void => undefined
  const stopped = new Promise<void>((resolve) => (stop = resolve))
  const code = await runCommand(args, {
    err: (line) => err.push(line),
    untilStopped: () => stopped,
    out(line) {
      out.push(line)
      const url = /listens on (\S+)/.exec(line)?.[1]
      if (url !== undefined) void during(url).finally(stop)
    },
  })
  return { code, out: out.join('\n'), err: err.join('\n') }
}

async function say(url: string, text: string, more: object = {}): Promise<Response> {
  return await fetch(`${url}/v1/messages`, {
    method: 'POST',
    headers: { 'x-api-key': 'k' },
    body: JSON.stringify({ model: 'm', max_tokens: 9, messages: [{ role: 'user', content: text }], ...more }),
  })
}

describe('millrace-claude', () => {
  test('prints its help, and the list of faults', async () => {
    expect(await run(['--help'])).toMatchObject({
      code: 0,
      out: expect.stringMatching(/--port[^]*--script[^]*--pace[^]*--faults/),
      err: '',
    })
    const { code, out } = await run(['faults', '--list'])
    expect(code).toBe(0)
    expect(out.split('\n').map((line) => line.split(' ')[0])).toEqual(faultKinds.map(({ kind }) => kind))
  })

  test('serves the demo, a script and a fault plan', async () => {
    const demo = await run([], async (url) => {
      const message = await (await say(url, 'Hello!')).json()
      expect(message.content.at(-1).text).toMatch(/^Hello! I am a scripted/)
      const tools = [
        {
          name: 'list_files',
          description: 'Lists the files of a folder',
          input_schema: { type: 'object', properties: { path: { type: 'string' } }, required: ['path'] },
        },
      ]
      const call = await (await say(url, 'Which files are in ./src?', { tools })).json()
      expect(call.content.at(-1)).toMatchObject({ type: 'tool_use', name: 'list_files', input: { path: './src' } })
      const messages = [
        { role: 'user', content: 'Which files are in ./src?' },
        { role: 'assistant', content: call.content },
        {
          role: 'user',
          content: [{ type: 'tool_result', tool_use_id: call.content.at(-1).id, content: 'a.ts, b.ts' }],
        },
      ]
      const answer = await (await say(url, '', { tools, messages })).json()
      expect(answer.content.at(-1).text).toMatch(/^list_files says: a\.ts, b\.ts/)
    })
    expect(demo).toMatchObject({
      code: 0,
      out: expect.stringMatching(/ANTHROPIC_BASE_URL=http:\/\/127.0.0.1:\d+[^]*Answered 3 requests\./),
    })

    const script = await file('script.json', '[{ "content": [{ "type": "text", "text": "From the file" }] }]')
    const faults = await file('faults.json', '[{ "kind": "status", "status": 529 }]')
    const served = await run(['--script', script, '--faults', faults, '--pace', '100000'], async (url) => {
      expect((await say(url, 'x')).status).toBe(529)
      expect((await (await say(url, 'x')).json()).content[0].text).toBe('From the file')
    })
    expect(served.code).toBe(0)
  })

  test.each<[string, () => Promise<string[]>, RegExp]>([
    ['a port that is no number', async () => ['--port', 'x'], /--port must be a number, not "x"/],
    ['a port out of range', async () => ['--port', '70000'], /port must be 0 to 65535/],
    ['a pace of 0', async () => ['--pace', '0'], /--pace must be "fast" or/],
    ['an unknown option', async () => ['--what'], /: Unknown option '--what'\. Try/],
    ['an option without its value', async () => ['--pace'], /: Option '--pace <value>' argument missing\. Try/],
    ['an unknown command', async () => ['serve'], /unknown command "serve"; expected one of faults --list/],
    ['faults without --list', async () => ['faults'], /"faults" needs "--list"/],
    [
      'a script that is not there',
      async () => ['--script', join(folder, 'none.json')],
      /--script "\S+" cannot be read/,
    ],
    [
      'a script that is no JSON',
      async () => ['--script', await file('a.json', '{\n]\n')],
      /--script "\S+" must hold JSON/,
    ],
    [
      'a script of another shape',
      async () => ['--script', await file('b.json', '[{}]')],
      /b.json\[0\].content must be a list/,
    ],
    [
      'a plan of another shape',
      async () => ['--faults', await file('c.json', '[{"kind":"x"}]')],
      /c.json\[0\].kind must be one of/,
    ],
  ])('ends with code 2 and says what to do about %s', async (_name, args, message) => {
    const { code, out, err } = await run(await args())
    expect([code, out]).toEqual([2, ''])
    expect(err).toMatch(message)
    expect(err).toMatch(/^millrace-claude: .*[^.]\. Try "millrace-claude --help"\.$/)
  })

  test('ends with code 1 and one line that says what to do if the port is in use', async () => {
    await run([], async (url) => {
      const { host, port } = new URL(url)
      const advice = 'give another one with --port, or leave it out for any free one'
      expect(await run(['--port', port])).toEqual({
        code: 1,
        out: '',
        err: `millrace-claude: cannot listen on ${host}: the port is in use; ${advice}`,
      })
    })
  })

  test('ends at once with the code, one line and no stack', async () => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../src/bin.ts'), '--bogus'])
    const ended = new Promise((resolve) => child.on('close', (code) => resolve(code)))
    let err = ''
    child.stderr.on('data', (chunk) => (err += String(chunk)))
    expect(await ended).toBe(2)
    expect(err).toBe(`millrace-claude: Unknown option '--bogus'. Try "millrace-claude --help".\n`)
  })

  test.each(['SIGINT', 'SIGTERM'] as const)('ends on %s with code 0', async (signal) => {
    const child = spawn(process.execPath, [join(import.meta.dirname, '../src/bin.ts')])
    const ended = new Promise((resolve) => child.on('close', (code) => resolve(code)))
    let out = ''
    child.stdout.on('data', (chunk) => {
      out += String(chunk)
      if (out.endsWith('Ctrl-C.\n')) child.kill(signal)
    })
    expect([await ended, out]).toEqual([0, expect.stringMatching(/Answered 0 requests\.\n$/)])
  })
})
