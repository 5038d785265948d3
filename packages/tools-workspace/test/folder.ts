import {
  linkSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const secret = 'the secret of the outside'

/** A workspace beside a folder that must not be touched, with every kind of way from one to the other. */
export interface TestFolder {
  readonly workspace: string
  readonly outside: string
  /** Everything outside: names, kinds, contents, times of change. */
  readonly snapshot: () => string
  readonly read: (path: string) => string
  readonly write: (path: string, text: string | Uint8Array) => void
  readonly remove: () => void
}

function describe(path: string): string[] {
  const stat = lstatSync(path)
  const head = `${path} ${stat.mode} ${stat.mtimeMs} ${stat.ino}`
  if (stat.isSymbolicLink()) return [`${head} -> ${readlinkSync(path)}`]
  if (stat.isDirectory())
    return [
      head,
      ...readdirSync(path)
        .sort()
        .flatMap((name) => describe(join(path, name))),
    ]
  return [`${head} ${readFileSync(path, 'utf8')}`]
}

export function testFolder(): TestFolder {
  const root = realpathSync(mkdtempSync(join(tmpdir(), 'millrace-workspace-')))
  const workspace = join(root, 'work')
  const outside = join(root, 'outside')
  const write = (path: string, text: string | Uint8Array): void => {
    mkdirSync(join(workspace, path, '..'), { recursive: true })
    writeFileSync(join(workspace, path), text)
  }
  mkdirSync(workspace)
  mkdirSync(join(outside, 'deep'), { recursive: true })
  writeFileSync(join(outside, 'secret.txt'), `${secret}\n`)
  writeFileSync(join(outside, 'deep', 'secret.txt'), `${secret}\n`)
  mkdirSync(join(root, 'work-but-not'))
  writeFileSync(join(root, 'work-but-not', 'secret.txt'), `${secret}\n`)
  write('a.txt', 'one\ntwo\nthree\n')
  write('folder/b.txt', 'alpha\nbeta\n')
  symlinkSync(outside, join(workspace, 'out'))
  symlinkSync('../outside/secret.txt', join(workspace, 'out-file'))
  symlinkSync('../outside/missing.txt', join(workspace, 'out-missing'))
  symlinkSync('folder', join(workspace, 'in'))
  symlinkSync('a.txt', join(workspace, 'in-file'))
  symlinkSync('loop', join(workspace, 'loop'))
  symlinkSync('..', join(workspace, 'folder', 'up'))
  symlinkSync('../..', join(workspace, 'folder', 'up-up'))
  linkSync(join(outside, 'deep', 'secret.txt'), join(workspace, 'hard'))
  return {
    workspace,
    outside,
    snapshot: () => [outside, join(root, 'work-but-not')].flatMap(describe).join('\n') + readdirSync(root).join(),
    read: (path) => readFileSync(join(workspace, path), 'utf8'),
    write,
    remove: () => rmSync(root, { recursive: true }),
  }
}
