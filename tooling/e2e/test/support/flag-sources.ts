import type { FlagClient, FlagContext } from '@millrace/core'
import { memoryStateStore } from '@millrace/core/memory'
import {
  changeStateFlags,
  compileFlags,
  type FlagDocument,
  type FlagSource,
  fixedFlags,
  stateFlags,
  toBooleanDetails,
} from '@millrace/flags'
import { createProvider } from '@millrace/flags/openfeature'
import { envFlags } from '@millrace/flags-env'
import { envProvider } from '@millrace/flags-env/openfeature'
import { fileFlags } from '@millrace/flags-file'
import { fileProvider } from '@millrace/flags-file/openfeature'
import { ofrepFlags, remoteFlagFile } from '@millrace/flags-remote'
import { ofrepProvider, remoteFileProvider } from '@millrace/flags-remote/openfeature'
import { OpenFeature, type Provider } from '@openfeature/server-sdk'

/** Where the same flags are to be found. */
export interface FlagPlaces {
  readonly document: FlagDocument
  /** Files that hold them, as JSON and as YAML. */
  readonly paths: readonly string[]
  /** A server has them under it: as `flags.json`, and evaluated behind OFREP. */
  readonly address: string
  /** Variables that say the same; undefined where none can. */
  readonly env?: Readonly<Record<string, string>> | undefined
}

export interface NamedClient {
  readonly name: string
  readonly client: FlagClient
}

/** Every way of ours to be told the flags that stand in these places. */
export interface FlagSources {
  readonly clients: readonly NamedClient[]
  close(): Promise<void>
}

/** Opens them all, ready to answer. */
export async function openFlagSources({ document, paths, address, env }: FlagPlaces): Promise<FlagSources> {
  const store = memoryStateStore()
  await changeStateFlags({ store, by: 'test' }, () => document)
  // What is tested is what they say, not how fast.
  const remote = { url: `${address}/flags.json`, timeout: 60_000 }
  const ofrep = { baseUrl: address, timeout: 60_000, firstAnswer: 60_000, maxContexts: 10_000 }

  const sources: Record<string, FlagSource> = {
    'flags in code': fixedFlags(document),
    'a store': stateFlags({ store }),
    'a file over HTTP': remoteFlagFile(remote),
    OFREP: ofrepFlags(ofrep),
  }
  const providers: Record<string, Provider> = {
    'flags in code': createProvider(fixedFlags(document)),
    'a store': createProvider(stateFlags({ store })),
    'a file over HTTP': remoteFileProvider(remote),
    OFREP: ofrepProvider(ofrep),
  }
  for (const path of paths) {
    sources[`the file ${path.slice(-4)}`] = fileFlags({ path, watch: false })
    providers[`the file ${path.slice(-4)}`] = fileProvider({ path, watch: false })
  }
  if (env !== undefined) {
    sources['variables'] = envFlags({ env })
    providers['variables'] = envProvider({ env })
  }

  const clients: NamedClient[] = [{ name: 'the set itself', client: bare(document) }]
  for (const [name, source] of Object.entries(sources)) {
    await source.ready()
    clients.push({ name, client: source })
  }
  for (const [name, provider] of Object.entries(providers)) {
    await OpenFeature.setProviderAndWait(name, provider)
    clients.push({ name: `${name}, through OpenFeature`, client: OpenFeature.getClient(name) })
  }
  return {
    clients,
    async close() {
      await Promise.all(Object.values(sources).map((source) => source.close()))
      await OpenFeature.clearProviders()
    },
  }
}

/** The evaluation alone, with nothing around it that could change an answer. */
function bare(document: FlagDocument): FlagClient {
  const set = compileFlags(document)
  return {
    getBooleanDetails: (key, fallback, context) => toBooleanDetails(set.resolve(key, context), key, fallback),
  }
}

/** What a run's decision is made of: value, variant and error of each flag, as core asks for it. */
export type Answers = Readonly<Record<string, readonly [value: boolean, variant: string, errorCode: string]>>

export const tools = ['bash', 'web_search', 'look_up'] as const

const questions: readonly (readonly [key: string, fallback: boolean])[] = [
  ['use_streaming.kill', false],
  ['use_streaming', false],
  ...tools.map((tool) => [`use_streaming.tool.${tool}`, true] as const),
]

/** Asks a client all that core asks for one run. */
export async function askAll(client: FlagClient, context: FlagContext): Promise<Answers> {
  const entries = await Promise.all(
    questions.map(async ([key, fallback]) => {
      const { value, variant, errorCode } = await client.getBooleanDetails(key, fallback, context)
      // Undefined and left out are the same answer.
      return [key, [value, variant ?? '', errorCode ?? '']] as const
    }),
  )
  return Object.fromEntries(entries)
}
