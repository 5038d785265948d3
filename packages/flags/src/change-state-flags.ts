import { type Clock, flagKeys, MillraceError, type StateStore, systemClock } from '@millrace/core'
import { aClock, anId, aSignal, checkOptions, isRecord, type Rule, withMethods } from '@millrace/core/kit'
import { type FlagDocument, flagFormat } from './document.ts'
import { FlagFormatError } from './errors.ts'
import { formatIssues } from './issues.ts'
import { type FlagReading, readFlagDocument } from './read-document.ts'

/** The default key of the flags in a `StateStore`. */
export const defaultStateKey = 'millrace:flags'

export interface ChangeStateFlagsOptions {
  readonly store: StateStore
  /** Default: `millrace:flags`. */
  readonly key?: string
  /** Who changes the flags. Stored as `updatedBy` in the document's metadata. */
  readonly by: string
  /** Why they are changed. Stored as `updateReason`. */
  readonly reason?: string
  readonly signal?: AbortSignal
  readonly clock?: Clock
}

const changeStateFlagsRules: Readonly<Record<keyof ChangeStateFlagsOptions, Rule>> = {
  store: withMethods('get', 'set', 'watch'),
  key: anId,
  by: anId,
  reason: anId,
  signal: aSignal,
  clock: aClock,
}

/**
 * Changes the flags of a `StateStore`: reads the document, applies `change`, checks the result, and writes it if nobody
 * else has written in between. Otherwise starts again, at most 16 times. The stored value is a {@link FlagDocument}; its
 * version is the store's.
 *
 * A stored flag that is invalid is not in the document that `change` gets, and stays in the store as it is. Only the kill
 * switch can be defined anew, so that a typo in it, or in another flag, does not get in the way of an emergency.
 *
 * @param change gets the document, an empty one at first, and returns the next; it may be called more than once
 * @returns the document that `change` returned, with its metadata, and the version it was stored as
 * @throws FlagFormatError if the stored document is unreadable, or the changed one invalid: nothing is then written
 * @throws MillraceError `unknown_option`, `invalid_option`; `conflict` if others kept writing
 * @throws what the store throws, as it is
 */
export async function changeStateFlags(
  options: ChangeStateFlagsOptions,
  change: (document: FlagDocument) => FlagDocument,
): Promise<{ readonly document: FlagDocument; readonly version: number }> {
  checkOptions(options, '', changeStateFlagsRules)
  for (const needed of ['store', 'by'] as const) changeStateFlagsRules[needed](options[needed], needed)
  const { store, key = defaultStateKey, by, reason, signal, clock = systemClock } = options
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    signal?.throwIfAborted()
    const entry = await store.get(key)
    signal?.throwIfAborted()
    const before = readStored(entry?.value)
    const next = readChanged(change(before.document), before)
    const { updateReason: _replaced, ...metadata } = next.metadata ?? {}
    const document: FlagDocument = {
      ...next,
      $format: flagFormat,
      metadata: {
        ...metadata,
        updatedAt: new Date(clock.now()).toISOString(),
        updatedBy: by,
        ...(reason !== undefined && { updateReason: reason }),
      },
    }
    const stored = withInvalid(document, before, entry?.value)
    const result = await store.set(key, stored, entry?.version ?? 0)
    if (result.status === 'set') return { document, version: result.version }
  }
  throw new MillraceError('conflict', `the flags were changed by others ${maxAttempts} times in a row`, {
    retryable: true,
  })
}

const maxAttempts = 16

function readStored(value: unknown): FlagReading {
  // A store cannot delete a key, so `null` is an emptied one.
  const read = readFlagDocument(value ?? { flags: {} })
  if (read.status === 'read') return read
  throw new FlagFormatError(`the stored flags are invalid: ${formatIssues(read.issues)}`, read.issues)
}

function readChanged(value: FlagDocument, before: FlagReading): FlagDocument {
  const read = readFlagDocument(value)
  const errors = read.issues.filter(({ severity }) => severity === 'error')
  if (read.status === 'refused' || errors.length > 0) {
    throw new FlagFormatError(`the changed flags are invalid: ${formatIssues(errors)}`, errors)
  }
  for (const key of Object.keys(read.document.flags)) {
    if (key === flagKeys.kill || !before.invalid.has(key)) continue
    const message = `the stored flag "${key}" is invalid: correct it before you change it`
    throw new FlagFormatError(message, before.issues)
  }
  return read.document
}

/** Adds what is invalid in the store to `document`, unchanged: whoever wrote it has to correct it. */
function withInvalid(document: FlagDocument, before: FlagReading, stored: unknown): unknown {
  const parts = (['$segments', '$evaluators'] as const).flatMap((part) => {
    const written = isRecord(stored) ? stored[part] : undefined
    const valid = before.document[part] ?? {}
    const invalid = isRecord(written) ? Object.entries(written).filter(([name]) => !Object.hasOwn(valid, name)) : []
    return invalid.length === 0 ? [] : [[part, { ...Object.fromEntries(invalid), ...document[part] }] as const]
  })
  const flags = { ...Object.fromEntries(before.invalid), ...document.flags }
  return { ...document, ...Object.fromEntries(parts), flags }
}
