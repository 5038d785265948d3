import { checkPackage, createPackageFromTarballData } from '@arethetypeswrong/core'
import { problemAffectsResolutionKind } from '@arethetypeswrong/core/problems'
import { readFileSync } from 'node:fs'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import type { PackedPackage } from './package.ts'

/** Returns the messages of publint, including suggestions. */
export async function runPublint({ tarball, manifest }: PackedPackage): Promise<string[]> {
  const data = readFileSync(tarball)
  const buffer = data.buffer.slice(data.byteOffset, data.byteOffset + data.byteLength)
  const { messages, pkg } = await publint({ pack: { tarball: buffer }, strict: true })
  return messages.map((message) => `${manifest.name}: ${formatMessage(message, pkg, { color: false }) ?? message.code}`)
}

/**
 * What "are the types wrong" says of the tarball, for consumers that resolve as ESM or as a bundler: the packages are
 * ESM only, so CommonJS and the resolution of Node 10 are left out.
 */
export async function runAttw({ tarball }: PackedPackage): Promise<string[]> {
  const analysis = await checkPackage(createPackageFromTarballData(readFileSync(tarball)))
  if (analysis.types === false) return ['there are no types']
  return analysis.problems
    .filter((problem) =>
      (['node16-esm', 'bundler'] as const).some((kind) => problemAffectsResolutionKind(problem, kind, analysis)),
    )
    .map((problem) => `${problem.kind}: ${JSON.stringify(problem)}`)
}
