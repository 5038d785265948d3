import { type Clock, MillraceError, type StateStore, systemClock } from '@millrace/core'
import { type FlagDocument, flagFormat } from './document.ts'
import { FlagFormatError } from './errors.ts'
import { formatIssue } from './issues.ts'
import { aClock, aSignal, aText, checkOptions, optional, type OptionRules, withMethods } from './options.ts'
import { readFlagDocument } from './read-document.ts'

/** Where the flags of a `StateStore` are, unless said otherwise. */
export const defaultStateKey = 'millrace:flags'

export interface ChangeStateFlagsOptions {
  readonly store: StateStore
  /** Default: `millrace:flags`. */
  readonly key?: string
  /** Who changes the flags, kept as `updatedBy` in the document's metadata. */
  readonly by: string
  /** Why, kept as `updateReason`. */
  readonly reason?: string
  readonly signal?: AbortSignal
  readonly clock?: Clock
}

const changeStateFlagsRules: OptionRules<ChangeStateFlagsOptions> = {
  store: withMethods('get', 'set', 'watch'),
  key: optional(aText),
  by: aText,
  reason: optional(aText),
  signal: optional(aSignal),
  clock: optional(aClock),
}

/**
 * Changes the flags of a `StateStore`: reads the document, applies `change`, checks the result, and writes it where nobody
 * else has written in between, else begins again (16 times at most). The stored value is a {@link FlagDocument}; its
 * version is the store's.
 *
 * @param change gets the document, an empty one at first, and gives the next; it may be called more than once
 * @returns the document as stored, and its version
 * @throws FlagFormatError where the stored or the next document is invalid: nothing is then written
 * @throws MillraceError `unknown_option`, `invalid_option`; `conflict` where others kept writing; what the store throws, as it is
 */
export async function changeStateFlags(
  options: ChangeStateFlagsOptions,
  change: (document: FlagDocument) => FlagDocument,
): Promise<{ readonly document: FlagDocument; readonly version: number }> {
  checkOptions(options, changeStateFlagsRules)
  const { store, key = defaultStateKey, by, reason, signal, clock = systemClock } = options
  for (let attempt = 0; attempt < maxAttempts; attempt++) {
    signal?.throwIfAborted()
    const entry = await store.get(key)
    signal?.throwIfAborted()
    // `null` is how a key is emptied: a store forgets none.
    const before = entry === undefined || entry.value === null ? { flags: {} } : check('the stored flags', entry.value)
    const next = check('the changed flags', change(before))
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
    const result = await store.set(key, document, entry?.version ?? 0)
    if (result.status === 'set') return { document, version: result.version }
  }
  throw new MillraceError('conflict', `the flags were changed by others ${maxAttempts} times in a row`, {
    retryable: true,
  })
}

const maxAttempts = 16

function check(what: string, value: unknown): FlagDocument {
  const read = readFlagDocument(value)
  if (read.status === 'read') return read.document
  throw new FlagFormatError(`${what} are invalid: ${read.issues.map(formatIssue).join('; ')}`, read.issues)
}
