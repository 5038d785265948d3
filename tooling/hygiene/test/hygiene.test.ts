import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe, expect, it, onTestFinished } from 'vitest'
import { checkHygiene, hygieneRules, trackedFiles } from '../src/check.ts'

// Joined, so that this file does not break the rules that it tests.
const host = (...labels: string[]) => labels.join('.')
const path = (...names: string[]) => ['', ...names].join('/')
const suppression = ['oxlint', 'disable', 'next', 'line'].join('-')
const shared = ['..', 'shared'].join('/')

/** For each rule, the files that break it. */
const violations: Record<string, [path: string, text: string][]> = {
  'registry-host': [
    ['pnpm-lock.yaml', `a:\n  tarball: https://${host('registry', 'npmjs', 'org')}/a.tgz`],
    ['README.md', `a\n<https://www.${host('npmjs', 'com')}/package/a>`],
    ['.ci/run', `#!/bin/sh\necho deb http://${host('deb', 'debian', 'org')}/debian`],
  ],
  'machine-path': [
    ['a.ts', `const a = 1\nconst b = '${path('root', 'a')}'`],
    ['a.md', `see\n\`${path('work', 'main')}\``],
    ['a.json', `{\n"a": "${path('home', 'ada', 'a')}"`],
    ['.ci/run', `#!/bin/sh\ncd ${path('work', 'main')}`],
  ],
  'outside-folder': [
    ['a.ts', `const a = 1\nconst b = '${shared}'`],
    ['docs/a.md', `see\n${shared}/design.md`],
  ],
  'issue-number': [
    ['a.ts', `const a = 1\n// see ${['issue', '#2'].join(' ')}`],
    ['a.md', `see\n${['Issue', '12'].join(' ')} for more`],
  ],
  'vague-file-name': [
    ['packages/core/src/utils.ts', ''],
    ['packages/core/src/helper.test.ts', ''],
    ['packages/core/src/helpers/a.ts', ''],
    ['utils/a.ts', ''],
  ],
  'unexplained-suppression': [
    ['a.ts', `const a = 1\n// ${suppression} max-lines`],
    ['a.ts', `const a = 1\n/* ${suppression} max-lines -- */`],
  ],
  'ascii-banner': [
    ['a.ts', `const a = 1\n// ${'='.repeat(20)}`],
    ['a.ts', `const a = 1\n/${'*'.repeat(20)}`],
    ['a.yaml', `a: 1\n${'#'.repeat(20)}`],
    ['a.ts', `const a = 1\n// ${'-'.repeat(4)} a part ${'-'.repeat(4)}`],
  ],
}

const cases = Object.entries(violations).flatMap(([rule, files]) => files.map(([file, text]) => ({ rule, file, text })))

describe('each rule catches its violation', () => {
  it.each(cases)('$rule in $file', ({ rule, file, text }) => {
    const place = text === '' ? file : `${file}:2`
    expect(checkHygiene([{ path: file, text }])).toEqual([`${place}: ${rule}: ${hygieneRules[rule]?.message}`])
  })

  it('and every rule has a case', () => {
    expect(new Set(Object.keys(violations))).toEqual(new Set(Object.keys(hygieneRules)))
  })
})

it.each([
  ['a relative import', 'packages/core/src/a.ts', "import { a } from '../shared.ts'"],
  ['the one place that may look beside the clone', '.ci/run', `[ -d ${shared}/a ]`],
  ['a URL', 'a.md', 'https://example.com/home/a and https://example.com/work/a'],
  ['a folder within the repository', 'a.ts', "'packages/work/a' './root/a' `${root}/work/a`"],
  ['a suppression with its reason', 'a.ts', `// ${suppression} max-lines -- one table`],
  ['a concept', 'packages/core/src/commonmark.ts', ''],
  ['documentation', 'a.ts', '/** A. */\n/**\n * B.\n */'],
  ['a table in Markdown', 'a.md', '# A\n\n| a |\n|------|'],
])('lets %s pass', (_, file, text) => {
  expect(checkHygiene([{ path: file, text }])).toEqual([])
})

it('reads what git tracks or would add, and nothing else', () => {
  const root = mkdtempSync(join(tmpdir(), 'hygiene-'))
  onTestFinished(() => rmSync(root, { recursive: true, force: true }))
  execFileSync('git', ['init', '-q'], { cwd: root })
  writeFileSync(join(root, '.gitignore'), 'ignored\n')
  writeFileSync(join(root, 'ignored'), 'a')
  writeFileSync(join(root, 'not yet added'), 'b')
  writeFileSync(join(root, 'picture.png'), 'a\0b')
  writeFileSync(join(root, 'gone'), 'c')
  execFileSync('git', ['add', 'gone'], { cwd: root })
  rmSync(join(root, 'gone'))
  expect(trackedFiles(root)).toEqual([
    { path: '.gitignore', text: 'ignored\n' },
    { path: 'not yet added', text: 'b' },
  ])
})
