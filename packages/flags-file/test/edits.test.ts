import { sized } from '@millrace/config/sized'
import { compileFlags, type FlagDocument } from '@millrace/flags'
import { readFlagText } from '@millrace/flags/text'
import { manualClock } from '@millrace/testing/async'
import * as fc from 'fast-check'
import { mkdir, rename, rm, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { followFlags } from '../src/file-flags.ts'
import { makeFolder } from './support/folder.ts'
import { jsonOf, yamlOf } from './support/texts.ts'

type Edit =
  | { readonly kind: 'rename' | 'in place' | 'in two steps' | 'link'; readonly on: boolean; readonly at: number }
  | { readonly kind: 'truncate' | 'empty' | 'delete' | 'folder' | 'garbage'; readonly at: number }

const at = fc.nat(2000)
const edit: fc.Arbitrary<Edit & { noticed: boolean; json: boolean }> = fc
  .oneof(
    fc.record({ kind: fc.constantFrom('rename', 'in place', 'in two steps', 'link'), on: fc.boolean(), at }),
    fc.record({ kind: fc.constantFrom('truncate', 'empty', 'delete', 'folder', 'garbage'), at }),
  )
  .chain((one) => fc.record({ noticed: fc.boolean(), json: fc.boolean() }).map((more) => ({ ...one, ...more })))

/** Beyond 10%, which is what is left where 100 is cut short. */
const user = { targetingKey: 'user-2' }

/** The bounds that are stated: of a change that is noticed, and of one that is not. */
const bounds = { noticed: 2000, unnoticed: 15_000 + 2000 }

it('survives random edits, without an exception or half a file, and with the right value in time', async () => {
  const seen = { changes: 0, refusals: 0 }
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 20, maxLength: 20 }), async (edits) => {
      const folder = await makeFolder()
      const path = join(folder, 'flags.yaml')
      await writeFile(path, yamlOf(false))
      const clock = manualClock()
      let notify = (): void => {}
      const { source, follower } = followFlags({ path, clock }, (onEvent) => {
        notify = onEvent
        return { update() {}, close() {} }
      })
      const allowed = new Set([false])
      const check = (): boolean => {
        const { value, errorCode } = source.getBooleanDetails('use_streaming', false, user)
        expect(errorCode).toBeUndefined()
        expect(allowed).toContain(value)
        return value
      }
      const pass = async (ms: number): Promise<void> => {
        for (let passed = 0; passed < ms; passed += 50) {
          clock.advance(50)
          await follower.idle()
          if (source.describe().status !== 'starting') check()
        }
      }
      await pass(bounds.noticed)
      let standing = { text: yamlOf(false), value: false }
      let content: string | undefined = standing.text
      for (const one of edits) {
        const next = await apply(folder, path, one, content, () => pass(100), notify)
        content = next
        const value = next === undefined ? undefined : valueOf(next)
        if (value === undefined) seen.refusals++
        else {
          if (value !== standing.value) seen.changes++
          standing = { text: next ?? '', value }
        }
        allowed.add(standing.value)
        if (one.noticed) notify()
        await pass(one.noticed ? bounds.noticed : bounds.unnoticed)
        allowed.clear()
        allowed.add(standing.value)
        check()
      }
      await source.close()
      await follower.idle()
      expect(clock.pending).toBe(0)
      await rm(folder, { recursive: true })
    }),
    { numRuns: sized({ quick: 10, long: 50 }) },
  )
  // A run in which little happened would prove little.
  expect(seen.changes).toBeGreaterThan(sized({ quick: 30, long: 150 }))
  expect(seen.refusals).toBeGreaterThan(sized({ quick: 50, long: 250 }))
})

/** Does the edit; gives what stands at the path after it, undefined where nothing can be read. */
async function apply(
  folder: string,
  path: string,
  one: Edit & { json: boolean; noticed: boolean },
  before: string | undefined,
  pause: () => Promise<void>,
  notify: () => void,
): Promise<string | undefined> {
  const draft = join(folder, 'draft')
  const text = 'on' in one ? (one.json ? jsonOf : yamlOf)(one.on, one.at % 300) : ''
  switch (one.kind) {
    case 'rename':
      await writeFile(draft, text)
      await rm(path, { recursive: true, force: true })
      await rename(draft, path)
      return text
    case 'in place':
      await makeRoom(path, before)
      await writeFile(path, text)
      return text
    case 'in two steps': {
      // A writer that is interrupted for less than the time to settle, half of the text being there.
      await makeRoom(path, before)
      const cut = text.length - 2 - (one.at % 60)
      await writeFile(path, text.slice(0, cut))
      for (let events = 0; events < 2; events++) {
        notify()
        await pause()
      }
      await writeFile(path, text)
      notify()
      return text
    }
    case 'link': {
      const version = join(folder, `version-${one.at}`)
      await mkdir(version, { recursive: true })
      await writeFile(join(version, 'flags.yaml'), text)
      await rm(draft, { force: true })
      await symlink(join(version, 'flags.yaml'), draft)
      await rm(path, { recursive: true, force: true })
      await rename(draft, path)
      return text
    }
    case 'truncate': {
      if (before === undefined) return undefined
      const length = one.at % (before.length + 1)
      await truncate(path, length)
      return before.slice(0, length)
    }
    case 'empty':
      await makeRoom(path, before)
      await writeFile(path, '')
      return ''
    case 'delete':
      await rm(path, { recursive: true, force: true })
      return undefined
    case 'folder':
      await rm(path, { recursive: true, force: true })
      await mkdir(path)
      return undefined
    case 'garbage': {
      await makeRoom(path, before)
      const garbage = `\u0000{${'['.repeat(one.at)}`
      await writeFile(path, garbage)
      return garbage
    }
  }
}

/** A file can be written in place where one stands. */
async function makeRoom(path: string, before: string | undefined): Promise<void> {
  if (before === undefined) await rm(path, { recursive: true, force: true })
}

/** What a whole file decides; undefined where it is to be refused. */
function valueOf(text: string): boolean | undefined {
  const read = readFlagText(text, { format: 'yaml' })
  if (read.status === 'refused' || !isWhole(read.document)) return undefined
  const resolution = compileFlags(read.document).resolve('use_streaming', user)
  return resolution.status === 'resolved' && resolution.value === true
}

/** Both flags are in use: the one is asked for, the other is the kill switch. */
function isWhole({ flags }: FlagDocument): boolean {
  return 'use_streaming' in flags && 'use_streaming.kill' in flags
}
