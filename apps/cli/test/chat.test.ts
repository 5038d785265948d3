import { startClaude, type ScriptedClaude, text, thinking, toolUse, demoScript, type Script } from '@millrace/testing'
import { execFile, spawn } from 'node:child_process'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { fileURLToPath } from 'node:url'
import { afterEach, describe, expect, it } from 'vitest'
import { defaultModel, readChatOptions } from '../src/chat/chat-options.ts'
import { connect, type Connection } from '../src/chat/connection.ts'
import { linePrompter } from '../src/chat/prompter.ts'
import { openFolder } from '../src/folder/folder.ts'
import { type ChatHost, runChat } from '../src/chat/run-chat.ts'
import { plainOutput } from './plain-output.ts'

const app = dirname(dirname(fileURLToPath(import.meta.url)))
const servers: ScriptedClaude[] = []

afterEach(async () => {
  for (const server of servers.splice(0)) await server.close()
})

async function serve(script: Script = demoScript): Promise<{ claude: ScriptedClaude; connection: Connection }> {
  const claude = await startClaude({ script })
  servers.push(claude)
  return { claude, connection: await connect({}, () => Promise.resolve(claude)) }
}

interface Chat {
  readonly code: number
  readonly text: string
  readonly events: readonly string[]
}

/** Runs a chat whose input is `lines`; `pressAt` is called with all output after each event, and may press Ctrl-C. */
async function chat(
  connection: Connection,
  lines: readonly string[],
  { args = [], pressAt }: { args?: readonly string[]; pressAt?: (text: string) => boolean } = {},
): Promise<Chat> {
  const { screen, text } = plainOutput()
  const events: string[] = []
  let press = (): void => {}
  const host: ChatHost = {
    options: readChatOptions(args),
    folder: await openFolder(app),
    connection,
    prompter: linePrompter(Readable.from(lines.map((line) => `${line}\n`)), (line) => screen.line(line)),
    screen,
    out: (line) => events.push(line),
    ready: async () => {
      if (pressAt?.(text()) === true) press()
    },
    onSignal(pressed) {
      press = pressed
      return () => {}
    },
  }
  return { code: await runChat(host), text: text(), events }
}

describe('a chat', () => {
  it('says whom it talks to, streams, and ends with its input', async () => {
    const { claude, connection } = await serve()
    const { code, text } = await chat(connection, ['hello', '', 'thanks'])
    expect(code).toBe(0)
    expect(text).toContain(`You talk to a scripted server on this machine (${claude.url})`)
    expect(text).toContain(
      '> hello\n[thinking] No tool is needed for this.\nHello! I am a scripted stand-in for Claude.',
    )
    expect(text).toContain('> thanks\n[thinking] No tool is needed for this.\nYou are welcome. Good bye!\n')
    expect(claude.requests.map(({ stream, status }) => [stream, status])).toEqual([
      [true, 200],
      [true, 200],
    ])
  })

  it('looks into the folder, and shows how far it is', async () => {
    const { text } = await chat((await serve()).connection, ['survey the folder', 'read package.json'])
    expect(text).toMatch(/> survey_folder \{\}\n( {2}survey_folder \d+ % .*\n)+✓ survey_folder \{\}\n/)
    expect(text).toContain('✓ read_file {"path":"package.json"}')
    expect(text).toContain('@millrace/cli')
  })

  it('leaves with /exit, whatever is still to be read', async () => {
    const { claude, connection } = await serve()
    expect((await chat(connection, ['/exit', 'hello'])).code).toBe(0)
    expect(claude.requests).toEqual([])
  })

  it('asks for whole answers with --no-stream, and for no thinking with --no-thinking', async () => {
    const { claude, connection } = await serve()
    await chat(connection, ['hello'], { args: ['--no-stream', '--no-thinking', '--model', 'claude-x'] })
    expect(claude.requests.map(({ stream }) => stream)).toEqual([false])
    expect(claude.requests[0]?.body).toMatchObject({ model: 'claude-x' })
    expect(claude.requests[0]?.body).not.toHaveProperty('thinking')
  })

  it('prints events with --json, and nothing among them', async () => {
    const { events } = await chat((await serve()).connection, ['hello', 'thanks'], { args: ['--json'] })
    const types = events.map((line) => JSON.parse(line).type)
    expect(types.filter((type) => type === 'run.started')).toHaveLength(2)
    expect(types.at(-1)).toBe('run.finished')
  })

  it('gives no exit code 0 where a run failed, and says what to check', async () => {
    const { claude, connection } = await serve()
    claude.setFaults([{ kind: 'status', status: 401 }])
    const { code, text } = await chat(connection, ['hello', 'hello'])
    expect(code).toBe(1)
    expect(text).toContain('The model API refused the credentials')
    expect(text).toContain('Check ANTHROPIC_API_KEY.')
    // The failed question is not asked twice.
    expect(claude.requests.at(-1)?.body?.['messages']).toHaveLength(1)
  })

  it('keeps shown text where the stream breaks, since a pipe takes nothing back', async () => {
    const answer = 'One two three four five six seven eight'
    const { claude, connection } = await serve((conversation) => conversation.continued({ content: [text(answer)] }))
    claude.cutAt({ event: 8, turn: 1 })
    const shown = await chat(connection, ['count'])
    expect(shown.code).toBe(0)
    expect(shown.text).toContain('One two three four five\n[turn 1: stream failed')
    expect(shown.text).toContain(' six seven eight\n')
    expect(shown.text).not.toContain('retracted')
  })
})

describe('Ctrl-C', () => {
  const script: Script = (conversation) => {
    if (conversation.lastUserText === 'again') return { content: [text('Here we are.')] }
    if (conversation.resultsOf('list_files').length > 0)
      return { content: [thinking('Done.'), text('There are files here.')] }
    return { content: [thinking('I list them.'), text('Let me look at that.'), toolUse('list_files', { path: 'src' })] }
  }

  it('interrupts at any event, and the conversation goes on', async () => {
    const { connection } = await serve(script)
    let count = 0
    await chat(connection, ['look'], { pressAt: () => ++count < 0 })
    expect(count).toBeGreaterThan(20)
    for (let at = 1; at <= count; at++) {
      const { claude, connection } = await serve(script)
      let seen = 0
      const { code, text } = await chat(connection, ['look', 'again'], { pressAt: () => ++seen === at })
      expect({ at, code, refused: claude.requests.filter(({ status }) => status === 400) }).toEqual({
        at,
        code: 0,
        refused: [],
      })
      expect(text).toContain('Here we are.')
      // Whatever was interrupted, what follows is the answer to the next question.
      expect(text.split('> again')[1]).not.toContain('interrupted')
    }
  })

  it('keeps what was said', async () => {
    const { claude, connection } = await serve(script)
    // The three words have been sent, and nothing more comes.
    claude.setFaults([{ kind: 'stall', at: { event: 12 }, turn: 1 }])
    let pressed = 0
    const { text } = await chat(connection, ['look', 'again'], {
      pressAt: (text) => text.endsWith('Let me look') && ++pressed === 1,
    })
    expect(text).toContain('[interrupted; what was said is kept]')
    expect(claude.requests.at(-1)?.body?.['messages']).toMatchObject([
      { role: 'user', content: 'look' },
      { role: 'assistant', content: [{ type: 'thinking' }, { type: 'text', text: 'Let me look' }] },
      { role: 'user', content: 'again' },
    ])
  })

  it('leaves at the second time, without waiting', async () => {
    const { claude, connection } = await serve(script)
    claude.setFaults([{ kind: 'stall', at: { event: 6 } }])
    const { code } = await chat(connection, ['look', 'again'], { pressAt: () => true })
    expect(code).toBe(130)
  })
})

describe('whom to talk to', () => {
  const never = (): Promise<never> => Promise.reject(new Error('not to be asked'))

  it('is the API that the environment names', async () => {
    const byKey = await connect({ ANTHROPIC_API_KEY: 'key' }, never)
    expect(byKey.description).toBe('the Anthropic API, with ANTHROPIC_API_KEY')
    expect(byKey.client.apiKey).toBe('key')
    const byUrl = await connect({ ANTHROPIC_BASE_URL: 'http://127.0.0.1:1', ANTHROPIC_API_KEY: '' }, never)
    expect(byUrl.client.baseURL).toBe('http://127.0.0.1:1')
    expect(byUrl.description).toContain('http://127.0.0.1:1')
    expect(byUrl.description).toContain('without a key')
  })

  it('is said not to be there, with what to set', async () => {
    await expect(connect({}, () => Promise.reject(new Error('no port')))).rejects.toThrow(
      /set ANTHROPIC_API_KEY .* ANTHROPIC_BASE_URL .*: no port$/,
    )
    await expect(connect({ ANTHROPIC_BASE_URL: 'nonsense' }, never)).rejects.toThrow('not "nonsense"')
  })
})

describe('arguments', () => {
  it('have defaults', () => {
    expect(readChatOptions([])).toEqual({
      model: defaultModel,
      folder: '.',
      stream: true,
      thinking: true,
      json: false,
      help: false,
    })
  })

  it.each([[['--modle', 'x']], [['--model']], [['--model', ' ']], [['a', 'b']], [['--json=yes']]])(
    'are refused: %j',
    (args) => {
      expect(() => readChatOptions(args)).toThrow(/.+/)
    },
  )
})

describe('as a command, on the built packages', () => {
  it('talks to the server that ANTHROPIC_BASE_URL names', async () => {
    const { claude } = await serve()
    const { code, stdout } = await run(['.'], 'hello\n', { ANTHROPIC_BASE_URL: claude.url })
    expect(stdout).toContain(`You talk to ${claude.url}`)
    expect(stdout).toContain('Hello! I am a scripted stand-in')
    expect(stdout).not.toContain('\u001b')
    expect(code).toBe(0)
  })

  it('starts a scripted server otherwise', async () => {
    const { code, stdout } = await run(['--json', '.'], 'hello\n/exit\nhello\n', {})
    expect(
      stdout
        .trimEnd()
        .split('\n')
        .filter((line) => JSON.parse(line).type === 'run.finished'),
    ).toHaveLength(1)
    expect(code).toBe(0)
  })

  it.each(['stdout', 'stderr'] as const)('ends without a crash when its %s is closed at once', async (closed) => {
    const env = { PATH: process.env['PATH'] }
    const child = spawn(process.execPath, [join(app, 'src/chat.ts'), '--json', '.'], { cwd: app, env })
    child[closed].destroy()
    let errors = ''
    child.stderr.on('data', (data: Buffer) => (errors += data.toString()))
    child.stdout.resume()
    child.stdin.on('error', () => {}).end('hello\n')
    expect(await new Promise((resolve) => child.on('close', resolve))).toBe(0)
    expect(errors).not.toContain('EPIPE')
  })

  it('says what is wrong with its arguments', async () => {
    expect(await run(['--modle'], '', {})).toMatchObject({ code: 2, stderr: expect.stringContaining("'--modle'") })
    expect(await run(['no-such-folder'], '', {})).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('is not a folder'),
    })
    expect(await run(['--help'], '', {})).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('ANTHROPIC_API_KEY'),
    })
  })
})

function run(
  args: readonly string[],
  input: string,
  env: Readonly<Record<string, string>>,
): Promise<{ code: number; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const options = { cwd: app, env: { PATH: process.env['PATH'], ...env } }
    const child = execFile(process.execPath, [join(app, 'src/chat.ts'), ...args], options, (error, stdout, stderr) => {
      resolve({ code: typeof error?.code === 'number' ? error.code : 0, stdout, stderr })
    })
    child.stdin?.end(input)
  })
}
