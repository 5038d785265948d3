import { systemRuntime } from '@millrace/core'
import { checkOptions, oneOf, type Rule } from '@millrace/core/kit'
import {
  aTargetingEngine,
  backgroundClock,
  createFlagHolder,
  flagIssue,
  type FlagHolder,
  type LocalFlagSource,
  type TargetingEngine,
} from '@millrace/flags'
import { type FlagTextFormat, readFlagText } from '@millrace/flags/text'
import { type Fetched, fetchText, readAddress } from './fetch-text.ts'
import { loadPatiently } from './last-known-good.ts'
import { type Attempt, createPoller } from './poller.ts'
import { anAddress, readTransport, type RemoteOptions, remoteRules } from './remote-options.ts'
import { readSavedFile, type SavedFile, writeSavedFile } from './saved-file.ts'

export interface RemoteFlagFileOptions extends RemoteOptions {
  readonly url: string | URL
  /** Default: from the content type, or else from the ending of the address, or else `json`. */
  readonly format?: FlagTextFormat
  /** For flags with flagd `targeting`: `flagdTargeting()` of `@millrace/flags/flagd`. */
  readonly targeting?: TargetingEngine
}

/** A source of flags in a file on a server, evaluated in this process. */
export interface RemoteFlagFile extends LocalFlagSource {
  /** Fetches the file now, for example after a webhook, or joins a running fetch. Never rejects. */
  refresh(): Promise<void>
}

const remoteFlagFileRules: Readonly<Record<keyof RemoteFlagFileOptions, Rule>> = {
  url: anAddress,
  format: oneOf('json', 'yaml'),
  targeting: aTargetingEngine,
  ...remoteRules,
}

/**
 * Makes a source of flags in a file over HTTP, evaluated in this process: one request per poll, however many users there are. An
 * answer that is late, refused, invalid or too large leaves the last good one in force.
 *
 * @throws MillraceError `unknown_option`, `invalid_option`
 */
export function remoteFlagFile(options: RemoteFlagFileOptions): RemoteFlagFile {
  checkOptions(options, '', remoteFlagFileRules)
  remoteFlagFileRules.url(options.url, 'url')
  const { name = 'remote', poll = 30_000, maxAge = 120_000, lastKnownGood, targeting } = options
  const { clock = backgroundClock, random = systemRuntime.random } = options
  const url = readAddress(options.url, 'url')
  const transport = readTransport(options, clock)
  let current: SavedFile | undefined
  let unsaved = false

  const poller = createPoller({ clock, random, poll, attempt })
  const holder = createFlagHolder({
    name,
    clock,
    maxAge,
    ...(targeting !== undefined && { targeting }),
    stop: () => poller.stop(),
  })
  void begin()
  return {
    ...holder.source,
    refresh: () => poller.refresh(),
    describe() {
      const description = holder.source.describe()
      if (!unsaved) return description
      const issue = flagIssue('warning', [], 'the last known good answer could not be saved')
      return { ...description, warnings: [...description.warnings, issue] }
    },
  }

  async function begin(): Promise<void> {
    const saved = readSavedFile(await loadPatiently(lastKnownGood, clock, poller.signal))
    if (saved !== undefined && offer(holder, saved, transport.maxBytes)) current = saved
    poller.start()
  }

  async function attempt(signal: AbortSignal): Promise<Attempt> {
    const fetched = await fetchText({ url, etag: current?.etag }, transport, signal)
    if (signal.aborted) return { status: 'ok' }
    switch (fetched.status) {
      case 'not_modified':
        holder.confirm()
        return { status: 'ok' }
      case 'failed': {
        holder.fail('unreachable', `the server ${fetched.message}`)
        const { retryAfterMs } = fetched
        return { status: 'failed', ...(retryAfterMs !== undefined && { retryAfterMs }) }
      }
      case 'text':
        return take(fetched, signal)
      default:
        return fetched satisfies never
    }
  }

  function take({ text, contentType, etag }: Extract<Fetched, { status: 'text' }>, signal: AbortSignal): Attempt {
    const next = { text, format: options.format ?? formatOf(contentType, url), etag, savedAt: clock.now() }
    if (!offer(holder, next, transport.maxBytes)) return { status: 'failed' }
    current = next
    void save(next, signal)
    return { status: 'ok' }
  }

  async function save(next: SavedFile, signal: AbortSignal): Promise<void> {
    if (lastKnownGood === undefined) return
    try {
      await lastKnownGood.save(writeSavedFile(next), signal)
      unsaved = false
    } catch {
      unsaved = !signal.aborted
    }
  }
}

function offer(holder: FlagHolder, { text, format, savedAt }: SavedFile, maxBytes: number): boolean {
  const read = readFlagText(text, { format, maxLength: maxBytes })
  if (read.status === 'read') return holder.accept(read, savedAt) === undefined
  holder.fail('invalid', 'the answer is not a flag file', read.issues)
  return false
}

function formatOf(contentType: string, url: URL): FlagTextFormat {
  if (/\bya?ml\b/i.test(contentType)) return 'yaml'
  if (/\bjson\b/i.test(contentType)) return 'json'
  return /\.ya?ml$/i.test(url.pathname) ? 'yaml' : 'json'
}
