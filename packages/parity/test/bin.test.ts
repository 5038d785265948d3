import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { ScriptedClaude } from '@millrace/testing'
import { describe, expect, it } from 'vitest'
import { parseCassette } from '../src/index.ts'
import { finalText, questions, shopScript } from './loops/shop-script.ts'
import { claudeFor } from './support/recorded.ts'
import { makeFolder, program, runBin } from './support/run-bin.ts'

/** Records a loop's program into a folder. */
async function recordProgram(
  claude: ScriptedClaude,
  folder: string,
  args: readonly string[],
  { options = [], env = {} }: { options?: readonly string[]; env?: Record<string, string> } = {},
): ReturnType<typeof runBin> {
  return runBin(['record', '--out', folder, ...options, '--', process.execPath, program, ...args], {
    ANTHROPIC_BASE_URL: claude.url,
    ...env,
  })
}

async function cassettesIn(folder: string): Promise<string[]> {
  return (await readdir(folder)).filter((name) => name.endsWith('.cassette.json')).map((name) => join(folder, name))
}

describe('request', () => {
  const agent = join(import.meta.dirname, 'loops/agent.ts')

  async function recordedFolder(): Promise<string> {
    const folder = join(await makeFolder(), 'cassettes')
    await recordProgram(await claudeFor(shopScript), folder, ['options-object', 'Hello', 'Where is order 17?'])
    return folder
  }

  it('compares the first requests of an agent, and ends although its module keeps a server open', async () => {
    const folder = await recordedFolder()
    const equal = await runBin(['request', folder, '--agent', agent])
    expect(equal).toEqual({ code: 0, out: '2 first requests: 2 equal, 0 different\n', err: '' })
    const own = await runBin(['request', folder, '--agent', agent, '--export', 'ownClient'], { ANTHROPIC_API_KEY: '' })
    expect(own).toMatchObject({ code: 0 })
    const wordy = await runBin(['request', folder, '--agent', agent, '--export', 'wordy'])
    expect(wordy).toEqual({
      code: 1,
      out: [
        'max_tokens: recorded 1000, your agent sends 4000 (all of 2 cassettes)',
        '2 first requests: 0 equal, 2 different',
        '',
      ].join('\n'),
      err: '',
    })
    const json = await runBin(['request', folder, '--agent', agent, '--export', 'wordy', '--json'])
    expect(JSON.parse(json.out)).toMatchObject({
      format: 'millrace-parity-request',
      summary: { cassettes: 2, equal: 0, different: 2, refused: 0 },
      cassettes: [{ status: 'compared', differences: [{ path: 'max_tokens', expected: 1000, actual: 4000 }] }, {}],
    })
  })

  it('says what is wrong with its arguments, and with the module', async () => {
    const folder = await recordedFolder()
    const problems: readonly (readonly [readonly string[], RegExp])[] = [
      [[folder], /request needs --agent MODULE/],
      [['--agent', agent], /request needs a cassette/],
      [[folder, '--agent', agent, '--export', 'words'], /export "words" of .* must be an agent, or a function/],
      [[folder, '--agent', agent, '--export', 'broken'], /broken\(\) failed: no database/],
      [[folder, '--agent', './nowhere.ts'], /nowhere\.ts could not be loaded: /],
    ]
    for (const [args, message] of problems) {
      const { code, out, err } = await runBin(['request', ...args])
      expect([code, out]).toEqual([2, ''])
      expect(err).toMatch(message)
    }
  })
})

/** What the loops are asked: `Charge nothing` fails in a tool that only one of them lets fail. */
const askable = questions.filter((question) => question !== 'Charge nothing')

describe.each(['options-object', 'positional', 'class-method'])('a loop in the style %s', (loop) => {
  it('is recorded, and replayed through Millrace without a difference', async () => {
    const claude = await claudeFor(shopScript)
    const folder = join(await makeFolder(), 'cassettes')
    const recorded = await recordProgram(claude, folder, [loop, ...askable])
    expect(recorded).toMatchObject({ code: 0, out: `${askable.map(finalText).join('\n')}\n` })
    expect(recorded.err).toContain(`recorded ${askable.length} runs`)

    const files = await cassettesIn(folder)
    expect(files).toHaveLength(askable.length)
    for (const file of files) {
      expect((await stat(file)).mode & 0o777).toBe(0o600)
      expect(await readFile(file, 'utf8')).not.toContain('sk-ant-secret-of-the-team')
    }

    const compared = await runBin(['compare', folder])
    expect(compared.err).toBe('')
    expect(compared.out).toContain(`${askable.length} cassettes: ${askable.length} equal, 0 different, 0 refused`)
    expect(compared.code).toBe(0)

    const figures = await runBin(['baseline', folder, '--json'])
    expect(figures.code).toBe(0)
    expect(JSON.parse(figures.out)).toMatchObject({
      runs: { total: askable.length, succeeded: askable.length, failed: 0, rate: 1 },
      requests: { total: claude.requests.length, failed: 0 },
      tools: { charge: { calls: 3, errors: 0 }, look_up: { calls: 2, errors: 0 } },
    })
    const table = await runBin(['baseline', folder])
    expect(table.out).toMatch(/^runs +4: 4 succeeded/)
  })
})

it('tells concurrent runs apart', async () => {
  const claude = await claudeFor(shopScript)
  const folder = await makeFolder()
  const asked = [...questions, ...questions, ...questions]
  const { code, err } = await recordProgram(claude, folder, ['at-once', ...asked])
  expect(err).toContain(`recorded ${asked.length} runs in ${claude.requests.length} requests`)
  expect(code).toBe(0)
  const compared = await runBin(['compare', folder, '--json'])
  expect(compared.code).toBe(0)
  expect(JSON.parse(compared.out).summary).toEqual({
    cassettes: asked.length,
    equal: asked.length,
    different: 0,
    refused: 0,
  })
})

it('shows a difference, and ends with code 1', async () => {
  const claude = await claudeFor(shopScript)
  const folder = await makeFolder()
  await recordProgram(claude, folder, ['options-object', 'Charge 500 for order 17', 'Hello'])
  const [file = ''] = await cassettesIn(folder)
  // A loop that had changed what the model said before it sent it back.
  const text = await readFile(file, 'utf8')
  const at = text.lastIndexOf('One moment, please.')
  await writeFile(file, `${text.slice(0, at)}One moment.${text.slice(at + 'One moment, please.'.length)}`)
  const { code, out, err } = await runBin(['compare', folder])
  expect(code).toBe(1)
  expect(err).toBe('')
  expect(out).toContain(
    [
      `${file}: 1 difference, 2 turns`,
      '  turn 2, request.messages[1].content[0].text (all variants)',
      '    - expected "One moment."',
      '    + actual   "One moment, please."',
    ].join('\n'),
  )
  // What was evened out is told where something differs, and in sum.
  expect(out.match(/normalised: stream \d/g)).toEqual(['normalised: stream 2', 'normalised: stream 3'])
  expect(out).toContain('2 cassettes: 1 equal, 1 different, 0 refused\nnormalised: stream 3')
  // Colours are for terminals.
  expect(out).not.toContain('\u001B')
  const json = await runBin(['compare', folder, '--json', '--variant', 'events', '--seed', '7'])
  expect(json.code).toBe(1)
  expect(JSON.parse(json.out).cassettes[0].differences).toEqual([
    {
      turn: 2,
      path: 'request.messages[1].content[0].text',
      expected: 'One moment.',
      actual: 'One moment, please.',
      variants: ['events'],
    },
  ])
})

it('keeps redacted values out of cassettes, and can still replay them', async () => {
  const claude = await claudeFor(shopScript)
  const folder = await makeFolder()
  const options = ['--redact', 'messages.*.content', '--redact', 'system', '--redact-env', 'SHOP_SECRET']
  const { code } = await recordProgram(claude, folder, ['positional', 'Charge twice'], {
    options,
    env: { SHOP_SECRET: 'Looks up an order' },
  })
  expect(code).toBe(0)
  const [file = ''] = await cassettesIn(folder)
  const text = await readFile(file, 'utf8')
  for (const secret of ['Charge twice', 'Both at once', 'You serve Ada', '"17"', 'Charged', 'Looks up an order']) {
    expect(text).not.toContain(secret)
  }
  expect(parseCassette(text).redacted).toEqual(['messages.*.content', 'system'])
  const compared = await runBin(['compare', file])
  expect(compared).toMatchObject({ code: 0 })
})
